"""The staking portal on a chain of its own, and people who open it with a wallet in their browser."""

import asyncio
import secrets
from contextlib import asynccontextmanager

from aiohttp import web

from cuckoo.chain.devnet import DEPLOYER_KEY, running_devnet
from cuckoo.chain.rpc import ChainClient
from cuckoo.chain.transactions import Sender
from cuckoo.client.app import AppClient
from cuckoo.domain.amounts import CAI
from cuckoo.domain.identifiers import Role
from cuckoo.domain.node import Introduction
from cuckoo.protocol.signing import Signer
from cuckoo.runtime.clock import SystemClock
from cuckoo.services.follower import Follower
from cuckoo.services.staking.acts import Acts
from cuckoo.services.staking.claims import Claims
from cuckoo.services.staking.desk import SigningDesk
from cuckoo.services.staking.history import History
from cuckoo.services.staking.registration import NewNode, Registration
from cuckoo.services.staking.shelf import NodeShelf
from cuckoo.storage.chronicle import Chronicle
from cuckoo.web.portal import portal_app
from tests.support.anvil import Chain
from tests.support.browsing import opened
from tests.support.walletry import BrowserWallet

HOSTILE = Introduction(
    name="<b>Robin</b>",
    text="<img src=x onerror=alert(1)> \u202e",
    url="javascript:alert(1)",
    links=("https://example.org/robin",),
)


@asynccontextmanager
async def portal_town(folder):
    """A chain with two miners and a follower; gives (chain, follower, node ids)."""
    async with (
        running_devnet(0, folder / "network.json") as devnet,
        await ChainClient.connect(devnet.network, (), folder / "outbox.sqlite") as client,
    ):
        chain = Chain(client, Sender(client, DEPLOYER_KEY))
        nodes = []
        for words in (Introduction(name="Wren", text="A laptop in Seoul", location="Seoul"), HOSTILE):
            owner = await chain.person(cai=100_000)
            await owner.deposit(80_000 * CAI)
            new = NewNode(role=Role.MINER, introduction=words, amount=20_000 * CAI)
            registered = await Registration(client, owner.sender).register(new, Signer(secrets.token_bytes(32)))
            nodes.append(registered.node_id)
            chain.owners[registered.node_id] = owner
        follower = Follower(client, SystemClock(), interval_s=0.2)
        await follower.start()
        work = asyncio.create_task(follower.run())
        yield chain, follower, nodes
        work.cancel()
        await asyncio.wait({work})


@asynccontextmanager
async def serving(town, sender=None, coordinators=None):
    """Serve the portal, which has asked coordinators (their addresses by node); gives its address."""
    chain, follower, _ = town
    chronicle = Chronicle(None)
    history, claims = History(chain.client, chronicle), Claims(chronicle, AppClient, SystemClock(), 31_337)
    await history.advance()
    shelf = NodeShelf(chain.client, follower, history, claims)
    if coordinators:
        await claims.look(coordinators)
    desk = None if sender is None else SigningDesk(Acts(chain.client), sender)
    runner = web.AppRunner(portal_app(chain.client, shelf, history, desk))
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    work = [asyncio.create_task(history.run(follower, SystemClock()))]
    if desk is not None:
        work.append(asyncio.create_task(desk.run()))
    try:
        yield f"http://127.0.0.1:{runner.addresses[0][1]}/"
    finally:
        for one in work:
            one.cancel()
        await asyncio.wait(work)
        await runner.cleanup()


@asynccontextmanager
async def portal(browser, town, wallet, **options):
    """A page with a wallet, connected."""
    async with serving(town) as address, opened(browser, "about:blank", **options) as page:
        page.wrong.clear()
        await wallet.into(page)
        await page.goto(address)
        page.wrong.clear()  # requests of another address than about:blank
        await page.click("#wallet")
        await page.get_by_role("button", name="Test wallet").click()
        await page.locator("dl.tiles").wait_for()
        yield page
        page.wrong[:] = [one for one in page.wrong if not one.startswith(address)]


async def voter(chain, cai=50_000):
    wallet = BrowserWallet(chain, secrets.token_bytes(32))
    person = await chain.person(cai=cai, key=bytes(wallet.account.key))
    return wallet, person


async def act(page, button, *, confirm="Confirm"):
    """Press the button of a form, and confirm what is asked."""
    await page.get_by_role("button", name=button, exact=True).click()
    await page.locator("dialog[open]").wait_for()
    await page.locator("dialog").get_by_role("button", name=confirm, exact=True).click()


async def told(page, words):
    await page.locator("#strip").get_by_text(words).wait_for()
