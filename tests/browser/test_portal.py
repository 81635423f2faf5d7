"""The staking portal in a real Chromium, with a wallet in the browser, or the key here, on a real chain."""

import json
import os
import secrets

import pytest
import pytest_asyncio

from cuckoo.domain.amounts import CAI
from cuckoo.domain.identifiers import Role
from cuckoo.protocol.signing import Signer
from cuckoo.services.staking.registration import consent_of
from tests.support.browsing import accessible, opened
from tests.support.portal_town import act, portal, portal_town, serving, told, voter

pytestmark = pytest.mark.asyncio(loop_scope="session")


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def town(tmp_path_factory):
    async with portal_town(tmp_path_factory.mktemp("portal")) as found:
        yield found


async def test_wallet__deposits_votes_and_takes_out__as_the_chain_says(browser, town):
    chain, _, (wren, _) = town
    wallet, person = await voter(chain)
    async with portal(browser, town, wallet) as page:
        assert "in the wallet" in (await page.inner_text("dl.tiles")).lower()
        await page.click("text=Stake")
        await page.locator("section[aria-label=Deposit] input").fill("30000")
        await act(page, "Deposit")
        await told(page, "Deposit (deposit): done.")
        assert (await person.portfolio()).idle_wei == 30_000 * CAI
        await page.goto(page.url.partition("#")[0] + f"#node/{wren}")
        await page.locator("section[aria-label=Vote] input").first.fill("20000")
        await page.get_by_role("button", name="Vote", exact=True).click()
        await page.locator("dialog[open]").wait_for()
        asked = await page.inner_text("dialog")
        assert "Your stake comes back 4 minutes after you take it out" in asked
        assert "It may rise to 20 %" in asked
        assert "Staking.vote" in asked
        await accessible(page)
        await page.locator("dialog").get_by_role("button", name="Confirm").click()
        await told(page, "Vote for Wren: done.")
        (stake,) = (await person.portfolio()).stakes
        assert stake.active_wei == 20_000 * CAI
        await page.click("text=Overview")
        await page.get_by_role("link", name=f"Wren ({wren})").click()
        await page.locator("section[aria-label=Vote] input").nth(1).fill("5000")
        await act(page, "Take out")
        await told(page, "Take out of Wren: done.")
        assert (await person.portfolio()).stakes[0].active_wei == 15_000 * CAI
        assert len(wallet.sent) == 4  # approve, deposit, vote, unvote


async def test_wallet__refuses_or_has_too_little__nothing_is_sent_and_it_is_said(browser, town):
    chain, _, (wren, _) = town
    wallet, _ = await voter(chain, cai=0)
    async with portal(browser, town, wallet) as page:
        await page.goto(page.url.partition("#")[0] + f"#node/{wren}")
        await page.locator("section[aria-label=Vote] input").first.fill("900")
        await page.get_by_role("button", name="Vote", exact=True).click()
        await page.get_by_role("alert").get_by_text("this wallet has 0 CAI of idle stake").wait_for()
        await page.click("text=Stake")
        wallet.refuses = True
        await page.locator("section[aria-label=Deposit] input").fill("10")
        await act(page, "Deposit")
        await page.get_by_text("You refused it in your wallet. Nothing was sent.").wait_for()
        assert wallet.sent == []
        page.wrong[:] = [one for one in page.wrong if "409" not in one]


async def test_wallet__on_another_network__is_asked_to_switch_and_an_account_switch_is_seen(browser, town):
    chain, _, _ = town
    wallet, _ = await voter(chain)
    wallet.chain_id = 1
    async with portal(browser, town, wallet) as page:
        await page.get_by_text("Your wallet is on chain 1; these pages are about chain 31337.").wait_for()
        await accessible(page)
        await page.get_by_role("button", name="Switch to this network").click()
        await page.get_by_text("Your wallet is on chain 1").wait_for(state="detached")
        other, _ = await voter(chain, cai=7)
        await wallet.says("accountsChanged", [other.address])
        await page.get_by_text(other.address).wait_for()


async def test_nodes__searched_and_sorted__hostile_words_stay_words(browser, town):
    chain, _, (_, robin) = town
    wallet, _ = await voter(chain)
    async with portal(browser, town, wallet) as page:
        await page.click("text=Vote")
        await page.locator("tbody tr").nth(1).wait_for()
        await page.get_by_role("button", name="Name").click()
        await page.locator("th[aria-sort]").get_by_text("Name").wait_for()
        await page.get_by_label("Search").fill("seoul")
        await page.get_by_text("1 to 1 of 1").wait_for()
        await accessible(page)
        await page.get_by_label("Search").fill("<b>robin")
        await page.get_by_role("link", name=f"<b>Robin</b> ({robin})").click()
        await page.locator(".words").get_by_text("<img src=x onerror=alert(1)>").wait_for()
        assert await page.locator("main img").count() == 0
        assert (
            await page.get_by_role("link", name="https://example.org/robin").get_attribute("rel")
            == "noopener noreferrer nofollow"
        )
        assert await page.get_by_role("link", name="javascript:alert(1)").count() == 0
        await accessible(page)


async def test_pending__page_reloaded_and_second_tab__both_learn_the_end(browser, town):
    chain, _, _ = town
    wallet, _ = await voter(chain)
    async with portal(browser, town, wallet) as page:
        await chain.rpc("evm_setAutomine", False)
        await chain.rpc("evm_setIntervalMining", 0)
        try:
            await page.click("text=Stake")
            await page.locator("section[aria-label=Deposit] input").fill("5")
            await act(page, "Deposit")
            await told(page, "waiting for a block")
            second = await page.context.new_page()
            await second.goto(page.url)
            await second.locator("#strip").get_by_text("waiting for a block").wait_for()
            await page.reload()
            await told(page, "waiting for a block")
        finally:
            await chain.rpc("evm_setIntervalMining", 1)
            await chain.rpc("evm_setAutomine", True)
            await chain.rpc("evm_mine")
        await told(page, "Deposit (approve CAI): done.")
        await second.locator("#strip").get_by_text("Deposit (approve CAI): done.").wait_for()


async def test_key_here__registers_a_node__signed_on_this_machine(browser, town):
    chain, _, _ = town
    owner = await chain.person(cai=60_000)
    await owner.deposit(50_000 * CAI)
    operator = Signer(secrets.token_bytes(32))
    given = await consent_of(chain.client, operator, owner.address, Role.MINER)
    shown = {"operator": given.operator, "deadline": given.deadline, "signature": given.signature.hex()}
    async with serving(town, owner.sender) as address, opened(browser, address) as page:
        await page.get_by_text("(signs on this machine)").wait_for()
        await page.click("text=Register")
        await page.get_by_label("What it printed").fill("no consent")
        await page.locator(
            ".check", has_text="complete"
        ).wait_for()  # enough idle stake; the consent is none, the name is missing
        await page.get_by_text("A name is missing.").wait_for()
        await page.locator("form select").select_option("coordinator")
        await page.get_by_text("1,950,000 CAI of idle stake are missing").wait_for()
        await page.get_by_text("needs the address at which miners reach it").wait_for()
        await page.locator("form select").select_option("miner")
        await page.locator("input[name=name]").fill("Finch")
        await page.locator("form button[type=submit]").click()
        await page.get_by_role("alert").get_by_text("That is not what cuckoo stake consent prints.").wait_for()
        await accessible(page)
        await page.get_by_label("What it printed").fill(json.dumps(shown))
        await page.locator("form button[type=submit]").click()
        await page.locator("dialog").get_by_role("button", name="Sign here").click()
        await told(page, "Register a node: done.")
        node_id, _ = await chain.staking.operator_of(operator.address)
        assert (await chain.staking.node(node_id)).owner == owner.address


LOOKS = {
    "ko": {"locale": "ko"},
    "dark": {"color_scheme": "dark"},
    "phone": {"viewport": {"width": 390, "height": 800}},
    "en": {},
}


@pytest.mark.parametrize("look", LOOKS)
async def test_screens__in_korean_dark_and_on_a_phone__accessible(browser, town, look):
    chain, _, (wren, _) = town
    wallet, person = await voter(chain)
    await person.deposit(30_000 * CAI)
    await person.vote(wren, 20_000 * CAI)
    await person.unvote(wren, 1_000 * CAI)
    pictures = os.environ.get("CUCKOO_PICTURES", "")
    async with portal(browser, town, wallet, **LOOKS[look]) as page:
        address = page.url.partition("#")[0]
        for place in ("overview", "nodes", f"node/{wren}", "stake", "rewards", "register", "network"):
            await page.goto(f"{address}#{place}")
            await page.locator("nav a[aria-current]").wait_for()
            await page.locator("main section:not([aria-busy])").first.wait_for()
            await accessible(page)
            wide = await page.evaluate("document.documentElement.scrollWidth - document.documentElement.clientWidth")
            assert wide <= 0, place
            if pictures:
                await page.screenshot(path=f"{pictures}/{place.partition('/')[0]}-{look}.png", full_page=True)
