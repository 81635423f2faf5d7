"""What a node's owner does in the portal, and news that come while a page is open, in a real Chromium on a real chain."""

import json
import os
import secrets

import pytest
import pytest_asyncio
from eth_abi import encode

from cuckoo.domain.amounts import CAI
from cuckoo.domain.identifiers import Role
from cuckoo.domain.keccak import keccak256
from cuckoo.domain.node import Introduction
from cuckoo.protocol.signing import Signer
from cuckoo.services.staking.registration import NewNode, Registration, consent_of
from tests.support.browsing import accessible
from tests.support.portal_town import act, portal, portal_town, told, voter

pytestmark = pytest.mark.asyncio(loop_scope="session")
PICTURES = os.environ.get("CUCKOO_PICTURES", "")


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def town(tmp_path_factory):
    async with portal_town(tmp_path_factory.mktemp("owners")) as found:
        yield found


async def slash(chain, node):
    """Have the Disputes contract slash a node, as a jury's conviction does."""
    network = chain.client.network
    await chain.rpc("anvil_impersonateAccount", network.disputes)
    await chain.rpc("anvil_setBalance", network.disputes, hex(10**18))
    call = keccak256(b"slash(uint32,uint8,bytes32,uint256)")[:4]
    data = call + encode(["uint32", "uint8", "bytes32", "uint256"], [node, 0, secrets.token_bytes(32), 0])
    sent = {"from": network.disputes, "to": network.staking, "data": "0x" + data.hex(), "gas": hex(1_000_000)}
    answer = await chain.rpc("eth_sendTransaction", sent)
    assert "error" not in answer, answer
    await chain.rpc("evm_mine")
    assert (await chain.staking.node(node)).jailed_until


async def owned(chain):
    """A wallet in a browser that owns a miner; gives it and the node."""
    wallet, person = await voter(chain, 60_000)
    await person.deposit(50_000 * CAI)
    new = NewNode(role=Role.MINER, introduction=Introduction(name="Finch", text="An old rig"), amount=20_000 * CAI)
    registered = await Registration(chain.client, person.sender).register(new, Signer(secrets.token_bytes(32)))
    return wallet, person, registered.node_id


async def confirmed(page, section, button):
    await page.locator("section[aria-label='Your node']").get_by_role("button", name=button, exact=True).click()
    await page.locator("dialog").get_by_role("button", name="Confirm", exact=True).click()


async def test_owner__introduces_sets_and_rotates__as_the_chain_says(browser, town):
    chain, follower, _ = town
    wallet, person, node = await owned(chain)
    await follower.advance()
    async with portal(browser, town, wallet) as page:
        await page.locator("section[aria-label='Your nodes'] a").click()
        mine = page.locator("section[aria-label='Your node']")
        await mine.wait_for()
        assert await mine.get_by_label("Name").input_value() == "Finch"
        await accessible(page)
        if PICTURES:
            await mine.screenshot(path=f"{PICTURES}/owner-en.png")
        await mine.get_by_label("Links, one a line").fill("https://example.org/a\nhttps://example.org/b")
        await confirmed(page, mine, "Publish")
        await told(page, "Introduce it anew: done.") if await page.get_by_text(
            "Introduce it anew: done."
        ).count() else None
        await page.get_by_role("link", name="https://example.org/b").wait_for()
        await mine.get_by_label("Commission (%)").fill("7.5")
        await confirmed(page, mine, "Set the commission")
        await page.get_by_text("7.5 %, at most 20 %").wait_for()
        operator = Signer(secrets.token_bytes(32))
        given = await consent_of(chain.client, operator, person.address, Role.MINER)
        shown = {"operator": given.operator, "deadline": given.deadline, "signature": given.signature.hex()}
        await mine.get_by_label("What it printed").fill("nonsense")
        await mine.get_by_role("button", name="Give it another operator key").click()
        await page.get_by_text("That is not what cuckoo stake consent prints.").wait_for()
        await mine.get_by_label("What it printed").fill(json.dumps(shown))
        await confirmed(page, mine, "Give it another operator key")
        await page.locator("dd code", has_text=operator.address).wait_for()
        assert (await chain.staking.operator_of(operator.address))[0] == node


async def test_transfer__offered_and_taken__the_new_owner_has_it(browser, town):
    chain, follower, _ = town
    wallet, _, node = await owned(chain)
    heir, _ = await voter(chain)
    await follower.advance()
    async with portal(browser, town, wallet) as page:
        await page.goto(page.url.partition("#")[0] + f"#node/{node}")
        mine = page.locator("section[aria-label='Your node']")
        await mine.get_by_label("New owner").fill(heir.address)
        await confirmed(page, mine, "Offer it to another owner")
        await told(page, "Offer it to another owner: done.")
    await follower.advance()
    async with portal(browser, town, heir) as page:
        await page.goto(page.url.partition("#")[0] + f"#node/{node}")
        await act(page, "Take it over")
        await page.locator("section[aria-label='Your node']").wait_for()
        assert (await chain.staking.node(node)).owner == heir.address


async def test_news__slashed_while_the_page_is_open__said_at_once_and_at_the_vote(browser, town):
    chain, _, (_, robin) = town
    wallet, person = await voter(chain)
    await person.deposit(30_000 * CAI)
    async with portal(browser, town, wallet) as page:
        await page.goto(page.url.partition("#")[0] + f"#node/{robin}")
        amount = page.locator("section[aria-label=Vote] input").first
        await amount.fill("20000")
        await slash(chain, robin)
        await told(page, f"Node {robin} was slashed just now.")
        assert await amount.input_value() == "20000", "what was typed stays"
        await page.get_by_role("button", name="Vote", exact=True).click()
        await page.locator("dialog").get_by_text("This node was slashed 1 times").wait_for()
        await page.locator("dialog").get_by_role("button", name="Cancel").click()


async def test_plan__reloaded_after_its_first_step__goes_on_with_the_second(browser, town):
    chain, _, _ = town
    wallet, person = await voter(chain)
    async with portal(browser, town, wallet) as page:
        await page.goto(page.url.partition("#")[0] + "#stake")
        await page.locator("section[aria-label=Deposit] input").fill("30000")
        await chain.rpc("evm_setAutomine", False)
        await chain.rpc("evm_setIntervalMining", 0)
        try:
            await act(page, "Deposit")
            await page.get_by_text("Deposit (approve CAI): waiting for a block").wait_for()
            await page.reload()
        finally:
            await chain.rpc("evm_setIntervalMining", 1)
            await chain.rpc("evm_setAutomine", True)
            await chain.rpc("evm_mine")
        await told(page, "Deposit (approve CAI): done.")
        wallet.refuses = True
        await page.get_by_role("button", name="Continue with step 2 of 2").click()
        await told(page, "You refused it in your wallet.")
        wallet.refuses = False
        await page.get_by_role("button", name="Continue with step 2 of 2").click()
        await told(page, "Deposit (deposit): done.")
        assert (await person.portfolio()).idle_wei == 30_000 * CAI


async def test_pending__dropped_by_the_network__is_told(browser, town):
    chain, _, _ = town
    wallet, person = await voter(chain)
    await person.deposit(30_000 * CAI)
    async with portal(browser, town, wallet) as page:
        await page.clock.install()
        await page.goto(page.url.partition("#")[0] + "#stake")
        await page.locator("section[aria-label=Withdraw] input").fill("1000")
        await chain.rpc("evm_setAutomine", False)
        await chain.rpc("evm_setIntervalMining", 0)
        try:
            await act(page, "Withdraw")
            await page.get_by_text("Withdraw: waiting for a block").wait_for()
            await chain.rpc("anvil_dropAllTransactions")
            await page.clock.fast_forward(61_000)
            await told(page, "Withdraw: the network knows nothing of it any more")
        finally:
            await chain.rpc("evm_setIntervalMining", 1)
            await chain.rpc("evm_setAutomine", True)
