"""Pages in a browser: what goes wrong on them is noted, axe looks at them, and somebody in the middle may change answers."""

import json
from contextlib import asynccontextmanager
from pathlib import Path

AXE = (Path(__file__).parents[1] / "browser" / "node_modules" / "axe-core" / "axe.min.js").read_text
DONE = "#links:not([hidden])"


@asynccontextmanager
async def opened(browser, address, **options):
    """A page that notes what goes wrong: errors, refusals of the policy, requests to elsewhere."""
    context = await browser.new_context(**{"viewport": {"width": 1200, "height": 900}, "locale": "en", **options})
    page = await context.new_page()
    page.wrong = []
    page.on("pageerror", lambda error: page.wrong.append(str(error)))
    page.on("console", lambda said: said.type == "error" and page.wrong.append(said.text))
    page.on(
        "request",
        lambda asked: asked.url.startswith((address.partition("/#")[0], "blob:")) or page.wrong.append(asked.url),
    )
    try:
        await page.goto(address)
        yield page
        assert page.wrong == []
    finally:
        await context.close()


async def accessible(page):
    """Assert that axe finds nothing."""
    # By the debugger, which the page's own policy does not bind.
    await page.evaluate(AXE())
    found = json.loads(await page.evaluate("axe.run().then((found) => JSON.stringify(found.violations))"))
    assert [(one["id"], [node["target"] for node in one["nodes"]]) for one in found] == []


async def story(page):
    return await page.locator("#story li").all_inner_texts()


async def checks(page):
    return [" ".join(line.split()) for line in await page.locator("#checks li").all_inner_texts()]


@asynccontextmanager
async def tampered(page, path, change):
    """Have somebody in the middle change the answers of the coordinator at a path."""

    async def answer(route):
        response = await route.fetch()
        await route.fulfill(response=response, body=change(await response.body()))

    await page.route(path, answer)
    yield
    await page.unroute(path)


async def checked(page, prompt="a pear"):
    """Ask for a picture; returns what the page says of its receipt."""
    await page.fill("#prompt", prompt)
    before = page.url
    await page.click("#draw")
    await page.wait_for_url(lambda url: url != before)
    await page.wait_for_selector(f'#permalink[href="#{page.url.partition("#")[2]}"]')
    await page.wait_for_selector("#checked:not([hidden])")
    return await checks(page)


async def wrongs(page):
    assert "Do not rely on this picture" in await page.inner_text("#verdict")
    return [line.removeprefix("✗ Does not hold: ") for line in await checks(page) if line.startswith("✗")]
