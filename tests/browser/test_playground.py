"""The playground in a real Chromium: asked from the keyboard, watched, told, and kept; in both languages, themes, sizes."""

import asyncio
import json
import re
from base64 import b64encode
from contextlib import asynccontextmanager
from pathlib import Path

import pytest

from tests.support.coordinating import running
from tests.support.painter import painting, studio

pytestmark = pytest.mark.asyncio(loop_scope="session")
AXE = (Path(__file__).parent / "node_modules" / "axe-core" / "axe.min.js").read_text
DONE = "#links:not([hidden])"


@asynccontextmanager
async def opened(browser, origin, **options):
    """A page that notes what goes wrong: errors, refusals of the policy, requests to elsewhere."""
    context = await browser.new_context(**{"viewport": {"width": 1200, "height": 900}, "locale": "en", **options})
    page = await context.new_page()
    page.wrong = []
    page.on("pageerror", lambda error: page.wrong.append(str(error)))
    page.on("console", lambda said: said.type == "error" and page.wrong.append(said.text))
    page.on("request", lambda asked: asked.url.startswith((origin, "blob:")) or page.wrong.append(asked.url))
    try:
        await page.goto(origin)
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
    await page.wait_for_function("permalink.hash === location.hash && !checked.hidden")
    return await checks(page)


async def test_generate__from_the_keyboard__picture_story_and_gallery(browser, tmp_path):
    async with studio(tmp_path) as coordinator, opened(browser, coordinator.origin) as page:
        await page.keyboard.press("Tab")
        await page.keyboard.press("Enter")  # skips to the prompt
        await page.keyboard.type("a red apple")
        await page.keyboard.press("Control+Enter")
        await page.wait_for_selector(DONE)
        told = await story(page)
        assert told[0] == "Asked."
        assert told[1] == "Drawn: miner 2, among 1 with odds of 100.0 %."
        assert told[-2] == "Miner 2 drew it on cpu, float32, AVX2."
        assert told[-1].startswith("Not audited.")
        assert await page.get_attribute("#stage img", "alt") == "Picture: a red apple"
        assert await page.locator("#gallery li").count() == 1
        async with page.expect_download() as download:
            await page.click("#saves a")
        assert (await download.value).suggested_filename == "picture.png"
        await accessible(page)


async def test_receipt__honest__is_checked_step_by_step(browser, tmp_path):
    async with studio(tmp_path) as coordinator, opened(browser, coordinator.origin) as page:
        assert await checked(page) == [
            "✓ Holds: These pixels are the ones that were signed.",
            "✓ Holds: The receipt is signed by 0x2B5AD5\u2060…\u2060cCD6cF, the key of miner 2.",
            "✓ Holds: The assignment to this miner is signed by 0x156391\u2060…\u2060115508, the key of this coordinator.",
            "✓ Holds: Prompt, model and settings are the ones you asked for.",
        ]
        assert await page.inner_text("#verdict") == "Everything holds."
        await accessible(page)


async def wrongs(page):
    assert "Do not rely on this picture" in await page.inner_text("#verdict")
    return [line.removeprefix("✗ Does not hold: ") for line in await checks(page) if line.startswith("✗")]


async def test_receipt__another_picture_came__is_told(browser, tmp_path):
    other, _ = painting(64, 64, 5)
    async with studio(tmp_path) as coordinator, opened(browser, coordinator.origin) as page:
        async with tampered(page, "**/pictures/0.png", lambda _: other):
            await checked(page)
        assert await wrongs(page) == ["Picture 1 is not the one that was signed."]
        await accessible(page)


async def test_receipt__prompt_changed_after_signing__is_told(browser, tmp_path):
    def change(body):
        view = json.loads(body)
        view["assignment"]["parameters"]["prompt"] = "an ad for pears"
        return json.dumps(view)

    async with studio(tmp_path) as coordinator, opened(browser, coordinator.origin) as page:
        async with tampered(page, "**/receipt", change):
            await checked(page)
        receipt, assignment, parameters = await wrongs(page)
        assert receipt == "The receipt is for another assignment than this."
        assert assignment.startswith("The assignment is signed by 0x")
        assert parameters == "As prompt, “an ad for pears” was signed; asked for was “a pear”."


async def test_receipt__other_prompt_given_to_the_miner_than_asked__is_told(browser, tmp_path):
    def change(body):
        return json.dumps(json.loads(body) | {"prompt": "an ad for pears"})

    async def ask(route):
        await route.continue_(post_data=change(route.request.post_data))

    async with studio(tmp_path) as coordinator, opened(browser, coordinator.origin) as page:
        await page.route("**/v1/tasks", ask)
        await checked(page)
        assert await wrongs(page) == ["As prompt, “an ad for pears” was signed; asked for was “a pear”."]


async def test_receipt__signed_by_another_key_than_the_miners__is_told(browser, tmp_path):
    def change(body):
        view = json.loads(body)
        for miner in view["miners"]:
            miner["operator"] = "0x" + "11" * 20
        return json.dumps(view)

    async with studio(tmp_path) as coordinator, opened(browser, coordinator.origin) as page:
        async with tampered(page, "**/v1/miners?*", change):
            await checked(page)
        assert await wrongs(page) == [
            "The receipt is signed by 0x2b5ad5\u2060…\u2060ccd6cf, not by 0x111111\u2060…\u2060111111, the key of miner 2."
        ]


async def test_audit__over_while_the_page_is_open__appears_in_the_story(browser, tmp_path):
    done = []

    def change(body):
        view = json.loads(body)
        if view["status"] == "done":
            done.append(view)
            view["audit"] = {"state": "passed", "detail": "", "closed_at": 1.0} if len(done) > 1 else None
        return json.dumps(view)

    async with studio(tmp_path) as coordinator, opened(browser, coordinator.origin) as page:
        async with tampered(page, re.compile(r"/v1/tasks/\w+$"), change):
            await checked(page)
            await page.get_by_text("Audited: checked again, and found right.").wait_for()
        assert len(await story(page)) == 5


DROP = """async (bytes) => {
  const files = new DataTransfer();
  files.items.add(new File([Uint8Array.from(bytes)], "pear.png", { type: "image/png" }));
  const event = (kind) => new DragEvent(kind, { dataTransfer: files, bubbles: true, cancelable: true });
  document.body.dispatchEvent(event("dragover"));
  document.body.dispatchEvent(event("drop"));
}"""


async def task_on(page, coordinator):
    return await coordinator.dispatch.apps.get(page.url.partition("#task=")[2])


async def test_source__dropped__is_cut_to_the_tasks_size_and_is_what_was_signed(browser, tmp_path):
    async with studio(tmp_path) as coordinator, opened(browser, coordinator.origin) as page:
        await page.wait_for_selector("#tiles dd")
        await page.evaluate(DROP, list(painting(90, 60, 1)[0]))
        await page.wait_for_selector("#chosen:not([hidden])")
        assert await page.evaluate("[ground.width, ground.height]") == [64, 64]
        await page.fill("#strength", "0.5")
        await checked(page)
        assert await page.inner_text("#verdict") == "Everything holds."
        made = (await task_on(page, coordinator)).parameters
        assert (made.mode, made.strength_millionths, made.mask_hash) == ("image-to-image", 500_000, bytes(32))
        assert made.source_hash != bytes(32)
        await page.click("#without")
        await checked(page)
        assert (await task_on(page, coordinator)).parameters.mode == "text-to-image"


async def test_source__part_painted_by_keys__becomes_the_mask(browser, tmp_path):
    async with studio(tmp_path) as coordinator, opened(browser, coordinator.origin) as page:
        await page.wait_for_selector("#tiles dd")
        file = {"name": "pear.png", "mimeType": "image/png", "buffer": painting(64, 64, 1)[0]}
        await page.set_input_files("#file", file)
        await page.get_by_text("Only a part").press("Enter")
        await page.focus("#veil")
        for key in ("ArrowLeft", "Space", "Shift+ArrowUp"):
            await page.keyboard.press(key)
        await accessible(page)
        await checked(page)
        assert await page.inner_text("#verdict") == "Everything holds."
        made = (await task_on(page, coordinator)).parameters
        assert made.mode == "inpainting"
        assert made.mask_hash != bytes(32)


async def test_source__pointer__paints_and_the_paint_comes_off(browser, tmp_path):
    async with studio(tmp_path) as coordinator, opened(browser, coordinator.origin) as page:
        await page.wait_for_selector("#tiles dd")
        await checked(page)
        await page.click("#reuse")
        await page.wait_for_selector("#chosen:not([hidden])")
        painted = (
            "veil.getContext('2d').getImageData(0, 0, 64, 64).data.filter((value, at) => at % 4 == 3 && value).length"
        )
        await page.click("#veil", position={"x": 20, "y": 20}, force=True)
        assert await page.evaluate(painted) == 0, "not before one says so"
        await page.click("#mask")
        await page.click("#veil", position={"x": 20, "y": 20})
        assert 50 < await page.evaluate(painted) < 500
        await page.click("#clear")
        assert await page.evaluate(painted) == 0
        await checked(page)
        assert (await task_on(page, coordinator)).parameters.mode == "image-to-image"


async def test_source__another_one_was_handed_on__is_told(browser, tmp_path):
    other = "data:image/png;base64," + b64encode(painting(64, 64, 5)[0]).decode()

    async def ask(route):
        await route.continue_(post_data=json.dumps(json.loads(route.request.post_data) | {"source": other}))

    async with studio(tmp_path) as coordinator, opened(browser, coordinator.origin) as page:
        await page.wait_for_selector("#tiles dd")
        file = {"name": "pear.png", "mimeType": "image/png", "buffer": painting(64, 64, 1)[0]}
        await page.set_input_files("#file", file)
        await page.wait_for_selector("#chosen:not([hidden])")
        await page.route("**/v1/tasks", ask)
        await checked(page)
        (wrong,) = await wrongs(page)
        assert wrong.startswith("As source_hash, “")


async def test_source__file_that_is_no_picture__is_refused_beside_the_form(browser, tmp_path):
    async with studio(tmp_path) as coordinator, opened(browser, coordinator.origin) as page:
        await page.set_input_files("#file", {"name": "x.png", "mimeType": "image/png", "buffer": b"no picture"})
        await page.wait_for_selector("#error:not([hidden])")
        assert "can not read that" in await page.inner_text("#error")
        assert await page.is_hidden("#chosen")


async def test_permalink__opened_anew__shows_the_same_task(browser, tmp_path):
    async with studio(tmp_path) as coordinator, opened(browser, coordinator.origin) as page:
        await page.fill("#prompt", "a pear")
        await page.click("#draw")
        await page.wait_for_selector(DONE)
        link = page.url
        async with opened(browser, coordinator.origin) as other:
            await other.goto(link)
            await other.reload()
            await other.wait_for_selector(DONE)
            assert await other.input_value("#prompt") == "a pear"
            assert len(await story(other)) == 5
            await other.wait_for_selector("#verdict.good")
            said = (await checks(other))[-1]
            assert said.startswith("✓ Holds: Signed were “a pear”, 64 \u00d7 64, 4 steps, seed ")


async def test_progress__while_it_is_drawn__previews_steps_and_a_way_back(browser, tmp_path):
    gate = asyncio.Event()
    async with studio(tmp_path, gate=gate) as coordinator, opened(browser, coordinator.origin) as page:
        await page.fill("#prompt", "a pear")
        await page.click("#draw")
        await page.wait_for_selector("#stage img.preview")
        await page.get_by_text("Step 4 of 4").wait_for()
        await accessible(page)
        await page.click("#cancel")
        await page.get_by_text("Taken back.").wait_for()
        gate.set()


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("locale", ["en", "ko"])
@pytest.mark.parametrize("width", [320, 1200])
async def test_look__languages_themes_and_widths__fit_and_are_accessible(browser, tmp_path, scheme, locale, width):
    async with (
        studio(tmp_path) as coordinator,
        opened(
            browser,
            coordinator.origin,
            color_scheme=scheme,
            locale=locale,
            viewport={"width": width, "height": 800},
        ) as page,
    ):
        await page.wait_for_selector("#tiles dd")
        assert await page.locator("#tiles dd").count() == 6
        assert await page.evaluate("document.documentElement.lang") == locale
        assert await page.inner_text("#draw") == {"en": "Draw", "ko": "그리기"}[locale]
        assert await page.evaluate("document.documentElement.scrollWidth") <= width
        await accessible(page)


async def test_choices__language_and_theme__stay_after_a_reload(browser, tmp_path):
    async with studio(tmp_path) as coordinator, opened(browser, coordinator.origin) as page:
        await page.select_option("#language", "ko")
        await page.select_option("#theme", "dark")
        await page.reload()
        assert await page.inner_text("#draw") == "그리기"
        assert await page.evaluate("document.documentElement.dataset.theme") == "dark"


async def test_words__both_languages__say_the_same_things(browser, tmp_path):
    async with studio(tmp_path) as coordinator, opened(browser, coordinator.origin) as page:
        names = await page.evaluate(
            """import('/pages/words.js').then(({WORDS}) => Object.values(WORDS).map((one) =>
            Object.entries(one).map(([name, text]) => name + (text.match(/{\\w+}/g) ?? []).sort()).sort()))"""
        )
        assert names[0] == names[1]


async def test_refused__value_beyond_a_limit__is_said_beside_the_form(browser, tmp_path):
    async with studio(tmp_path) as coordinator, opened(browser, coordinator.origin) as page:
        await page.click("summary >> nth=0")
        await page.fill("#prompt", "a pear")
        await page.fill("#width", "2048")
        await page.click("#draw")
        await page.wait_for_selector("#error:not([hidden])")
        assert "width" in await page.inner_text("#error")
        await accessible(page)
        page.wrong.clear()  # the browser notes the refusal


async def test_closed__without_a_key__says_so_and_takes_one(browser, tmp_path):
    async with running(tmp_path, open_access=False) as coordinator, opened(browser, coordinator.origin) as page:
        await page.fill("#prompt", "a pear")
        await page.click("#draw")
        await page.wait_for_selector("#error:not([hidden])")
        assert "API key" in await page.inner_text("#error")
        page.wrong.clear()


async def test_hostile__prompt_and_introduction__are_text(browser, tmp_path):
    hostile = "<img src=x onerror=alert(1)><script>alert(2)</script>"
    async with studio(tmp_path) as coordinator, opened(browser, coordinator.origin) as page:
        page.on("dialog", lambda dialog: page.wrong.append(dialog.message))
        await page.fill("#prompt", hostile)
        await page.click("#draw")
        await page.wait_for_selector(DONE)
        assert await page.inner_text("#gallery span") == hostile
        assert await page.locator("#gallery script").count() == 0
