"""Acts planned for wallets elsewhere, on a real chain: a wallet that signs the steps does what the commands do."""

import asyncio
import json
import secrets

import aiohttp
import msgspec
import pytest
import pytest_asyncio
from aiohttp import web
from hexbytes import HexBytes

from cuckoo.chain.devnet import running_devnet
from cuckoo.domain.amounts import CAI
from cuckoo.domain.errors import ConfigError, InvalidField
from cuckoo.domain.identifiers import Role
from cuckoo.domain.node import Introduction
from cuckoo.protocol.acts import ActState, read_act
from cuckoo.protocol.signing import Signer
from cuckoo.services.staking.acts import Acts
from cuckoo.services.staking.desk import SigningDesk
from cuckoo.services.staking.registration import NewNode, Registration, consent_of
from cuckoo.web.errors import errors
from cuckoo.web.portal_acts import ID_HEADER, TOKEN_HEADER, ActsApi
from tests.support.processes import until

UNBONDED_S = 300
MINER = NewNode(role=Role.MINER, introduction=Introduction(name="a miner"), amount=20_000 * CAI)


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def network(tmp_path_factory):
    """A chain whose time may run ahead without anybody else's on it."""
    async with running_devnet(0, tmp_path_factory.mktemp("acts") / "network.json") as devnet:
        yield devnet.network


def act(action, wallet, **fields):
    return read_act(json.dumps({"action": action, "address": wallet.address, **fields}).encode())


async def miner(chain, cai=60_000):
    """Register a miner; returns its owner's wallet and the node."""
    owner = await chain.person(cai=100_000)
    await owner.deposit(cai * CAI)
    registered = await Registration(chain.client, owner.sender).register(MINER, Signer(secrets.token_bytes(32)))
    return owner, registered.node_id


async def sign(wallet, plan):
    """Do what a wallet in a browser does: sign each step as it is shown."""
    for step in plan.steps:
        await wallet.sender.send_raw({"to": step.to, "data": HexBytes(step.data)}, step.title)


async def perform(chain, wallet, action, **fields):
    plan = await Acts(chain.client).plan(act(action, wallet, **fields))
    await sign(wallet, plan)
    return plan


async def test_plans__a_staker_s_life__signed_step_by_step(chain):
    _, node = await miner(chain)
    _, other = await miner(chain)
    wallet = await chain.person(cai=50_000)
    plan = await perform(chain, wallet, "deposit", amount="30,000")
    assert [(step.contract, step.function) for step in plan.steps] == [("CuckooToken", "approve"), ("Staking", "stake")]
    assert plan.steps[0].gas
    assert plan.outcome == ("deposited 30,000 CAI: it is idle stake now",)
    plan = await perform(chain, wallet, "vote", node_id=node, amount="20000")
    assert {risk.kind for risk in plan.risks} == {"unbonding", "slash_votes", "commission"}
    assert plan.steps[0].arguments["amount"] == str(20_000 * CAI)
    (stake,) = (await wallet.portfolio()).stakes
    assert stake.active_wei == 20_000 * CAI
    await chain.pass_time(600)
    claimed = await perform(chain, wallet, "claim", node_id=None)
    assert claimed.outcome[0].startswith("claimed ")
    assert not claimed.outcome[0].startswith("claimed 0 ")
    await chain.pass_time(600)
    compounded = await perform(chain, wallet, "compound")
    assert [step.function for step in compounded.steps] == ["claim", "approve", "stake", "vote"]
    assert (await wallet.portfolio()).stakes[0].active_wei > 20_000 * CAI
    await perform(chain, wallet, "unvote", node_id=node)
    with pytest.raises(ConfigError, match="nothing of this wallet is free there yet"):
        await Acts(chain.client).plan(act("move", wallet, from_node=node, to_node=other))
    await chain.pass_time(UNBONDED_S)
    moved = await perform(chain, wallet, "move", from_node=node, to_node=other)
    assert [step.function for step in moved.steps] == ["release", "vote"]
    (stake,) = [one for one in (await wallet.portfolio()).stakes if one.active_wei]
    assert stake.node.node_id == other
    await perform(chain, wallet, "unvote", node_id=other, amount="5000")
    await perform(chain, wallet, "revote", node_id=other)
    await perform(chain, wallet, "withdraw", amount="100")


async def test_plans__an_owner_s_life__with_a_consent_made_elsewhere(chain):
    owner = await chain.person(cai=100_000)
    await perform(chain, owner, "deposit", amount="60000")
    operator = Signer(secrets.token_bytes(32))
    given = await consent_of(chain.client, operator, owner.address, Role.MINER)
    shown = {"operator": given.operator, "deadline": given.deadline, "signature": given.signature.hex()}
    words = {"name": "Wren", "text": "<b>a laptop</b>", "links": ["https://example.org"]}
    plan = await perform(
        chain, owner, "register", role="miner", consent=shown, introduction=words, commission_percent="7.5"
    )
    assert plan.steps[0].arguments["operator"] == operator.address
    assert {"slash_own", "operator_for_ever", "introduction_public"} < {risk.kind for risk in plan.risks}
    node_id, _ = await chain.staking.operator_of(operator.address)
    node = await chain.staking.node(node_id)
    assert (node.owner, node.commission_bps) == (owner.address, 750)
    for action, fields in (
        ("commission", {"percent": "5"}),
        ("introduce", {"introduction": {"name": "Robin"}}),
        ("payee", {"payee": operator.address.lower()}),
        ("poke", {}),
        ("transfer", {"new_owner": operator.address}),
    ):
        await perform(chain, owner, action, node_id=node_id, **fields)
    node = await chain.staking.node(node_id)
    assert node.commission_bps == 500


@pytest.mark.parametrize(
    ("body", "error", "says"),
    [
        ({"action": "dance"}, InvalidField, "must be one of faucet, deposit"),
        ({"action": "vote", "node_id": 0, "amount": "1"}, InvalidField, "node_id"),
        ({"action": "vote", "node_id": 1, "amount": "1", "colour": 1}, InvalidField, "colour"),
        ({"action": "deposit", "amount": "1e9"}, ConfigError, "can not be read"),
        ({"action": "deposit", "amount": "999999999"}, ConfigError, "this wallet has"),
        ({"action": "vote", "node_id": 1, "amount": "0.5"}, ConfigError, "a vote is at least 1 CAI"),
        ({"action": "release"}, ConfigError, "nothing to do"),
        ({"action": "deposit", "amount": "1", "address": "0x12"}, InvalidField, "40 hex digits"),
        ({"action": "commission", "node_id": 1, "percent": "a lot"}, ConfigError, "is no percentage"),
        ({"action": "transfer", "node_id": 1, "new_owner": "0x" + "aB" * 20}, InvalidField, "wrong checksum"),
    ],
)
async def test_plans__what_can_not_be__is_said_in_words(chain, body, error, says):
    wallet = await chain.person(cai=10)
    with pytest.raises(error, match=says):
        await Acts(chain.client).plan(read_act(json.dumps({"address": wallet.address, **body}).encode()))


@pytest.fixture
async def portal(chain):
    """The routes with a key here; gives (client session, desk, wallet)."""
    wallet = await chain.person(cai=1_000)
    desk = SigningDesk(Acts(chain.client), wallet.sender)
    app = web.Application(middlewares=[errors])
    ActsApi(Acts(chain.client), desk).mount(app)
    runner = web.AppRunner(app)
    await runner.setup()
    site = web.TCPSite(runner, "127.0.0.1", 0)
    await site.start()
    work = asyncio.create_task(desk.run())
    port = runner.addresses[0][1]
    async with aiohttp.ClientSession(f"http://127.0.0.1:{port}") as session:
        yield session, desk, wallet
    work.cancel()
    await runner.cleanup()


async def settled(desk, name):
    state = desk.get(name)
    return None if state.state == "pending" else state


async def test_key_here__page_asks_twice__signed_once_and_told(portal):
    session, desk, wallet = portal
    body = {"action": "deposit", "address": wallet.address, "amount": "250"}
    headers = {TOKEN_HEADER: desk.token, ID_HEADER: "deposit-0001"}
    for _ in range(2):
        async with session.post("/api/acts", json=body, headers=headers) as answer:
            assert answer.status == 202
    state = await until(lambda: settled(desk, "deposit-0001"), what="the deposit")
    async with session.get("/api/acts/deposit-0001", headers=headers) as answer:
        assert msgspec.convert(await answer.json(), ActState) == state
    assert (state.state, state.outcome) == ("done", ("deposited 250 CAI: it is idle stake now",))
    assert (await wallet.portfolio()).idle_wei == 250 * CAI
    again = {**headers, ID_HEADER: "deposit-0002"}
    too_much = {**body, "amount": "900000000"}
    await session.post("/api/acts", json=too_much, headers=again)
    state = await until(lambda: settled(desk, "deposit-0002"), what="the refusal")
    assert state.state == "failed"
    assert "this wallet has" in state.error


@pytest.mark.parametrize("headers", [{}, {TOKEN_HEADER: "guess"}, {TOKEN_HEADER: "", "Host": "evil.example"}])
async def test_key_here__page_of_another_address__may_not_ask(portal, headers):
    session, desk, wallet = portal
    body = {"action": "withdraw", "address": wallet.address}
    if "Host" in headers:
        headers = {**headers, TOKEN_HEADER: desk.token}
    async with session.post("/api/acts", json=body, headers={ID_HEADER: "withdraw-1", **headers}) as answer:
        assert (answer.status, (await answer.json())["code"]) == (403, "origin_refused")


async def test_routes__refusals__have_a_status_and_words(portal):
    session, _, wallet = portal
    async with session.post("/api/plans", json={"action": "unvote", "address": wallet.address, "node_id": 1}) as answer:
        assert answer.status == 409
        assert (await answer.json())["code"] == "refused"
    async with session.post("/api/plans", json={"action": "x", "address": wallet.address}) as answer:
        assert (answer.status, (await answer.json())["field"]) == (422, "action")
    async with session.post("/api/plans", data=b"x" * 20_000, headers={"Content-Type": "application/json"}) as answer:
        assert answer.status == 413
