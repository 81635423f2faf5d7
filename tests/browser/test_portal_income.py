"""What stake earned, in a real Chromium on a real chain: by day and source, charts of a node, warnings at the vote itself."""

import os

import pytest
import pytest_asyncio

from cuckoo.domain.amounts import CAI, parse_cai
from cuckoo.services.staking.history import DAY_S
from cuckoo.services.staking.registration import Registration
from tests.support.browsing import accessible
from tests.support.portal_town import act, portal, portal_town, told, voter

pytestmark = pytest.mark.asyncio(loop_scope="session")
PICTURES = os.environ.get("CUCKOO_PICTURES", "")


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def town(tmp_path_factory):
    async with portal_town(tmp_path_factory.mktemp("income")) as found:
        yield found


async def shown(page, name):
    if PICTURES:
        await page.screenshot(path=f"{PICTURES}/{name}.png", full_page=True)


async def test_rewards__of_days__shown_claimed_and_saved(browser, town):
    chain, follower, (wren, robin) = town
    wallet, person = await voter(chain, 90_000)
    await person.deposit(60_000 * CAI)
    await person.vote(wren, 40_000 * CAI)
    for days in range(5):
        await chain.pass_time(DAY_S)
        if days == 2:
            await person.vote(robin, 20_000 * CAI)
    await Registration(chain.client, person.sender).poke(wren)
    await follower.advance()
    async with portal(browser, town, wallet) as page:
        await page.click("nav >> text=Rewards")
        await page.locator("svg rect").first.wait_for()
        assert await page.locator("svg rect").count() >= 6
        assert await page.locator("section[aria-label='Earned by node'] tbody tr").count() == 2
        await accessible(page)
        await shown(page, "rewards-en")
        async with page.expect_download() as saving:
            await page.click("text=Save as CSV")
        lines = (await (await saving.value).path()).read_text().splitlines()
        assert lines[0] == "date,node,source,cai"
        assert {line.split(",")[1] for line in lines[1:]} == {str(wren), str(robin)}
        before = (await person.portfolio()).wallet_wei
        await act(page, "Claim all")
        await page.locator("section[aria-label='Paid out'] tbody tr").nth(1).wait_for()
        paid = (await person.portfolio()).wallet_wei - before
        earned = sum(parse_cai(line.split(",")[3]) for line in lines[1:])
        assert paid == pytest.approx(earned, rel=1e-3)  # some seconds of rewards lie between
        await page.get_by_label("Time").select_option("365")
        await page.get_by_text("Earned in 365 days").wait_for()


async def test_node__charts_and_what_speaks_against_it__at_the_vote_itself(browser, town):
    chain, follower, (wren, _) = town
    wallet, person = await voter(chain)
    await person.deposit(30_000 * CAI)
    owner = Registration(chain.client, chain.owners[wren].sender)
    await owner.set_commission(wren, 1_400)
    await follower.advance()
    async with portal(browser, town, wallet) as page:
        await page.goto(page.url.partition("#")[0] + f"#node/{wren}")
        await page.get_by_text("The commission is 10 % and rises to 14 %").wait_for()
        assert await page.locator("svg[role=img]").count() == 3, "nothing was paid for tasks: that is said in words"
        await accessible(page)
        await shown(page, "node-charts-en")
        await page.locator("section[aria-label=Vote] input").first.fill("20000")
        await page.get_by_role("button", name="Vote", exact=True).click()
        await page.locator("dialog").get_by_text("rises to 14 %").wait_for()
        await page.locator("dialog").get_by_role("button", name="Confirm").click()
        await told(page, "Vote for Wren: done.")
        await chain.pass_time(chain.client.network.parameters.commission_notice + 1)
        await owner.poke(wren)
        await page.get_by_text("The commission rose from 10 % to 14 %").wait_for()
