"""Disputes in the portal, in a real Chromium: a list, and one in full with evidence, jurors and money."""

import os

import pytest
import pytest_asyncio

from cuckoo.chain.rpc import ChainClient
from cuckoo.runtime.clock import SystemClock
from cuckoo.services.follower import Follower
from tests.support.anvil import Chain
from tests.support.browsing import accessible, opened
from tests.support.disputing import courthouse, long_phases
from tests.support.portal_town import serving

pytestmark = pytest.mark.asyncio(loop_scope="session")
PICTURES = os.environ.get("CUCKOO_PICTURES", "")


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def judged(tmp_path_factory):
    """A chain with a dispute that convicted, and one whose jury is being seated; gives what serves the portal."""
    async with (
        long_phases() as network,
        courthouse(network, tmp_path_factory.mktemp("court")) as court,
        await ChainClient.connect(network) as client,
    ):
        accusing, store = await court.accusing()
        juries = [(await court.jury(node))[0] for node in court.jurors]
        await court.cheated(store)
        await accusing.look()
        await court.judged(accusing, juries)
        court.until_next_phase(1)
        await accusing.look()
        await court.look(*juries)
        await court.accuse(store, *await court.result(prompt="a pear"))
        await accusing.look()
        follower = Follower(client, SystemClock())
        await follower.start()
        yield Chain(client, None), follower, court


@pytest.mark.parametrize("look", ["en", "ko", "dark", "phone"])
async def test_disputes__list_and_one_in_full__as_the_chain_has_them(browser, judged, look):
    looks = {
        "ko": {"locale": "ko"},
        "dark": {"color_scheme": "dark"},
        "phone": {"viewport": {"width": 390, "height": 800}},
    }
    async with serving(judged) as address, opened(browser, address + "#disputes", **looks.get(look, {})) as page:
        rows = page.locator("tbody tr")
        await rows.nth(1).wait_for()
        if look == "en":
            assert "jurors claim seats" in await rows.nth(0).inner_text()
            assert "was convicted by" in await rows.nth(1).inner_text()
            await page.locator("main select").select_option("open")
            await page.get_by_text("1 to 1 of 1").wait_for()
            await page.locator("main select").select_option("all")
            await rows.nth(1).wait_for()
        await accessible(page)
        if PICTURES:
            await page.screenshot(path=f"{PICTURES}/disputes-{look}.png", full_page=True)
        await page.goto(address + "#disputes/1")
        await page.locator("tbody code").first.wait_for()
        await accessible(page)
        wide = await page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")
        assert wide <= 0
        if PICTURES:
            await page.screenshot(path=f"{PICTURES}/dispute-{look}.png", full_page=True)
        if look == "en":
            money = await page.locator("section[aria-label='Who paid whom']").inner_text()
            assert "own stake lost" in money
            assert "burned" in money
            assert "guilty" in await page.locator("section[aria-label=Jurors]").inner_text()
            await page.goto(address + "#node/2")
            about = page.locator("section[aria-label='Disputes about its results'] tbody tr")
            await about.nth(1).wait_for()
            assert await about.count() == 2
            await page.goto(address + "#disputes/77")
            await page.get_by_text("there are 2").wait_for()
            page.wrong.clear()  # the browser notes the 404 that was asked for
