"""What coordinators claim, in a real Chromium: marked as claims, compared side by side, told apart by coordinator."""

import os

import pytest
import pytest_asyncio

from tests.support.browsing import accessible, opened
from tests.support.claiming import Coordinators, view
from tests.support.portal_town import portal_town, serving

pytestmark = pytest.mark.asyncio(loop_scope="session")
PICTURES = os.environ.get("CUCKOO_PICTURES", "")
HOSTILE = "<script>alert(1)</script>"


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def town(tmp_path_factory):
    async with portal_town(tmp_path_factory.mktemp("claims")) as found:
        yield found


@pytest_asyncio.fixture(loop_scope="session")
async def coordinators(town):
    found = Coordinators()
    _, _, (wren, robin) = town
    numbers = {"assigned": 130, "done": 120, "failed": 3, "expected": 118.2, "variance": 60.0, "speed": 4.25}
    yield {
        11: await found.add(11, view(wren, device="H200", audits_passed=17, **numbers), view(robin, done=1)),
        12: await found.add(12, view(wren, assigned=10, done=9, lost=1, expected=12.5, variance=9.0, device=HOSTILE)),
    }
    await found.close()


@pytest.mark.parametrize("look", ["en", "phone"])
async def test_claims__listed_compared_and_on_the_nodes_page__marked_as_claims(browser, town, coordinators, look):
    _, _, (wren, _) = town
    options = {"viewport": {"width": 390, "height": 800}} if look == "phone" else {}
    async with (
        serving(town, coordinators=coordinators) as address,
        opened(browser, address + "#nodes", **options) as page,
    ):
        await page.locator("tbody tr").first.wait_for()
        assert "129" in await page.locator("tr", has_text="Wren").locator(".claim").first.inner_text()
        await page.get_by_text("not checked by the chain").wait_for()
        await page.get_by_role("button", name="Tasks done *").click()
        await page.locator("th[aria-sort=descending]", has_text="Tasks done").wait_for()
        assert "Wren" in await page.locator("tbody tr").first.inner_text()
        await page.get_by_label("Compare Wren").check()
        await page.get_by_label("Compare <b>Robin</b>").check()
        compared = page.locator("[aria-label=Compare] table")
        await compared.wait_for()
        assert await compared.locator("thead th").count() == 3
        await accessible(page)
        wide = await page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")
        assert wide <= 0
        if PICTURES:
            await page.screenshot(path=f"{PICTURES}/compare-{look}.png", full_page=True)
        await page.goto(address + f"#node/{wren}")
        said = page.locator("section[aria-label='What coordinators say']")
        await said.wait_for()
        assert "Drawn 140 times; its odds add up to 130.7, give or take 16.6" in await said.inner_text()
        assert await said.locator("tbody tr").count() == 2
        assert "H200" in await said.inner_text()
        await accessible(page)
        if PICTURES:
            await said.screenshot(path=f"{PICTURES}/claims-{look}.png")
