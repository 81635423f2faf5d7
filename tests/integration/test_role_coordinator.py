"""The coordinator role on a real chain: its stake is checked, its seeds come from blocks, closed periods replay."""

import asyncio
import functools
import secrets
from contextlib import asynccontextmanager
from types import SimpleNamespace

import msgspec
import pytest

from cuckoo.chain.contracts import StakingContract
from cuckoo.chain.disputes import DisputesContract
from cuckoo.chain.reverts import Reverted
from cuckoo.client.app import AppClient
from cuckoo.domain.amounts import CAI
from cuckoo.domain.errors import ConfigError, Conflict, KeyRefused, NotFound
from cuckoo.domain.identifiers import NodeId, Role
from cuckoo.domain.network import DEVNET_CHAIN_ID
from cuckoo.domain.node import Introduction
from cuckoo.domain.settings import CoordinatorSettings
from cuckoo.protocol.eip712 import Domain, Hasher
from cuckoo.protocol.messages import TaskRequest
from cuckoo.protocol.signing import Signer, check_signed_by
from cuckoo.roles.chain import open_chain
from cuckoo.roles.coordinator import open_access, open_coordinator, origins_of
from cuckoo.runtime.supervisor import supervise
from cuckoo.scheduler.drawlog import DrawRow, ParkRow, decode_row, encode_row, first_head, next_head
from cuckoo.scheduler.replay import replay
from cuckoo.scheduler.seedchain import period_seed, verify_link
from cuckoo.services.staking.registration import NewNode, Registration
from cuckoo.services.staking.wallet import drip
from cuckoo.services.verifying.draws import DrawsOnChain, check_draw, check_log
from cuckoo.storage.keys import Limits, open_keys
from tests.support import coordinating
from tests.support.processes import free_port
from tests.support.receipts import receipt_view

PERIOD_S = 10


async def register(chain, role, cai, url=""):
    owner = await chain.person(cai=cai if role is Role.MINER else 0)
    key = secrets.token_bytes(32)
    await drip(chain.client, chain.payer, Signer(key).address)
    await owner.deposit(cai * CAI)
    new = NewNode(role=role, introduction=Introduction(name="a node", url=url), amount=cai * CAI)
    node = await Registration(chain.client, owner.sender).register(new, Signer(key))
    return key, node.node_id


@asynccontextmanager
async def coordinator_running(network, key, folder, port, **more):
    """Run the role as ``cuckoo coordinator`` does."""
    stop = asyncio.Event()
    settings = CoordinatorSettings(port=port, long_poll_s=5.0, **more)
    async with open_chain(network) as shared, open_coordinator(shared, key, folder, settings) as services:
        running = asyncio.create_task(supervise([*shared.services, *services], grace_s=5, stop=stop))
        try:
            yield
        finally:
            stop.set()
            await running


async def until(condition, seconds=60):
    async with asyncio.timeout(seconds):
        while not (found := await condition()):  # noqa: ASYNC110 - the chain has no event to wait for
            await asyncio.sleep(0.1)
        return found


class Here:
    """What a scripted miner wants to know of a coordinator that runs as a role."""

    def __init__(self, origin):
        self.origin = origin
        self.registry = coordinating.Registry()


async def test_coordinator__on_a_chain__serves_and_its_closed_period_replays(chain, network, tmp_path, monkeypatch):
    port = free_port()
    origin = f"http://127.0.0.1:{port}"
    key, node_id = await register(chain, Role.COORDINATOR, 2_000_000, origin)
    miner_key, miner_id = await register(chain, Role.MINER, 20_000)
    hasher = Hasher(Domain(network.chain_id, network.staking))
    monkeypatch.setattr(coordinating, "HASHER", hasher)
    monkeypatch.setattr(coordinating, "COORDINATOR_KEY", Signer(key))

    async with coordinator_running(network, key, tmp_path, port), AppClient(origin) as app:
        await until(app.ready)
        view = await app.network()
        assert (view.coordinator_node, view.weight_wei) == (node_id, 2_000_000 * CAI)
        model = (await app.models()).data[0]
        miner = coordinating.ScriptedMiner(Here(origin), miner_id, Signer(miner_key))
        offer = coordinating.ModelOffer(digest=model.digest, name=model.id, max_pixels=65_536, max_steps=150)
        await until(lambda: signed_in(miner, offer))
        task = await app.submit(TaskRequest(prompt="a red apple"))
        signed = await miner.poll(models=(model.digest,))
        assignment = signed.assignment
        check_signed_by(hasher.digest(assignment.struct_hash()), signed.signature, Signer(key).address, "assignment")
        await miner.submit(assignment, miner.result(assignment))
        assert (await app.get(task.task_id)).pictures

        period = (await app.network()).period
        with pytest.raises(NotFound, match="public at"):
            await app.draws(period)
        await chain.pass_time(1)
        draws = await until(lambda: closed(app, assignment, period), 90)
        await miner.client.close()

    committed_at, tip_block = await StakingContract(chain.client).seed_tip(node_id, assignment.seed_tip)
    assert (committed_at // PERIOD_S, tip_block) == (draws.tip_period, draws.tip_block)
    assert verify_link(draws.tip, draws.period - draws.tip_period, draws.link)
    block = await chain.client.block(draws.block)
    assert block.hash == draws.block_hash
    assert draws.seed == period_seed(draws.link, block.hash, node_id)
    if draws.first_row == 0:
        assert draws.previous_head == first_head(draws.tip)
    replayed = replay(draws.rows, {draws.period: draws.seed}, draws.previous_head, draws.first_draw)
    assert replayed.head == draws.head
    verifying = DrawsOnChain(chain.client)
    checks = await check_log(draws, verifying)
    assert {check.name: check.state for check in checks} == dict.fromkeys(
        ("seed tip", "link", "seed", "draws", "weights"), "right"
    )
    assert check_draw(draws, assignment).state == "right"
    for name, lie in lies(draws).items():
        states = {check.name: check.state for check in await check_log(lie, verifying)}
        assert states[name] == "wrong", (name, states)
    other = msgspec.structs.replace(assignment, miner_node=NodeId(99))
    assert check_draw(draws, other).state == "wrong"

    drawn = next(one for one in replayed.draws if one.row.index == assignment.draw_index)
    assert (drawn.head, drawn.block, drawn.row.node) == (
        assignment.draw_head,
        assignment.draw_block,
        assignment.miner_node,
    )


async def test_miner__signs_two_results__is_convicted_on_chain_by_the_coordinator(
    chain, network, tmp_path, monkeypatch
):
    port = free_port()
    origin = f"http://127.0.0.1:{port}"
    key, _ = await register(chain, Role.COORDINATOR, 2_000_000, origin)
    miner_key, miner_id = await register(chain, Role.MINER, 20_000)
    monkeypatch.setattr(coordinating, "HASHER", Hasher(Domain(network.chain_id, network.staking)))
    monkeypatch.setattr(coordinating, "COORDINATOR_KEY", Signer(key))
    staking = StakingContract(chain.client)

    async with coordinator_running(network, key, tmp_path, port), AppClient(origin) as app:
        await until(app.ready)
        model = (await app.models()).data[0]
        miner = coordinating.ScriptedMiner(Here(origin), miner_id, Signer(miner_key))
        offer = coordinating.ModelOffer(digest=model.digest, name=model.id, max_pixels=65_536, max_steps=150)
        await until(lambda: signed_in(miner, offer))
        await app.submit(TaskRequest(prompt="a red apple"))
        assignment = (await miner.poll(models=(model.digest,))).assignment
        upload = miner.result(assignment)
        await miner.submit(assignment, upload)
        for other in (
            miner.result(assignment, finished_at=1_700_000_001),
            miner.result(assignment, pictures=[coordinating.png()], key=Signer(b"\x09" * 32)),
        ):
            with pytest.raises(Conflict, match="is done"):
                await miner.submit(assignment, other)
        assert (await staking.node(miner_id)).own_wei == 20_000 * CAI, "same pictures, or another's signature: no fault"
        with pytest.raises(Conflict, match="is done"):
            await miner.submit(assignment, miner.result(assignment, pictures=[coordinating.png()]))

        async def convicted():
            node = await staking.node(miner_id)
            return node if node.jailed_until else None

        node = await until(convicted)
        assert node.own_wei == 10_000 * CAI
        assert node.weight_wei == 0
        await miner.client.close()


async def test_coordinator__signs_two_heads_for_one_draw__anybody_convicts_it(chain, network):
    key, node_id = await register(chain, Role.COORDINATOR, 2_000_000)
    signer, hasher = Signer(key), Hasher(Domain(network.chain_id, network.staking))
    _, miner_id = await register(chain, Role.MINER, 20_000)
    block = await chain.client.block()
    one = msgspec.structs.replace(
        receipt_view().assignment, coordinator_node=node_id, miner_node=miner_id, deadline=block.timestamp + 10
    )
    other = msgspec.structs.replace(one, draw_head=b"\x05" * 32)
    signed = [(each, signer.sign(hasher.digest(each.struct_hash()))) for each in (one, other)]
    anybody, disputes = await chain.person(), DisputesContract(chain.client)
    with pytest.raises(Reverted, match="HeadsAgree"):
        await disputes.prove_two_heads(anybody.sender, signed[0], signed[0])
    await disputes.prove_two_heads(anybody.sender, *signed)
    node = await StakingContract(chain.client).node(node_id)
    assert (node.own_wei, node.weight_wei) == (1_000_000 * CAI, 0)
    assert node.jailed_until
    with pytest.raises(Reverted, match="AlreadyConvicted"):
        await disputes.prove_two_heads(anybody.sender, *signed)


def lies(draws):
    """Return what a coordinator might show instead, by the check that has to find it."""
    rows = [decode_row(row) for row in draws.rows]
    heavier = [
        encode_row(msgspec.structs.replace(row, weight_wei=10**30)) if isinstance(row, ParkRow) else data
        for row, data in zip(rows, draws.rows, strict=True)
    ]
    stolen = [
        encode_row(msgspec.structs.replace(row, node=NodeId(99))) if isinstance(row, DrawRow) else data
        for row, data in zip(rows, draws.rows, strict=True)
    ]
    heavier = [
        encode_row(msgspec.structs.replace(row, total_wei=10**30))
        if isinstance(row := decode_row(data), DrawRow)
        else data
        for data in heavier
    ]
    return {
        "seed tip": msgspec.structs.replace(draws, tip_block=draws.tip_block + 1),
        "link": msgspec.structs.replace(draws, link=b"\x01" * 32),
        "seed": msgspec.structs.replace(draws, block_hash=b"\x01" * 32),
        "draws": msgspec.structs.replace(draws, rows=tuple(stolen)),
        "weights": msgspec.structs.replace(
            draws, rows=tuple(heavier), head=functools.reduce(next_head, heavier, draws.previous_head)
        ),
    }


async def signed_in(miner, offer):
    try:
        await miner.sign_in(models=(offer,))
    except NotFound:
        return False
    return True


async def closed(app, assignment, period):
    """Find the closed log that holds an assignment's draw; it may stand in the period before or after."""
    for number in (period - 1, period, period + 1):
        try:
            draws = await app.draws(number)
        except NotFound:
            continue
        for log in draws.logs:
            if log.block == assignment.draw_block and log.tip == assignment.seed_tip:
                return log
    return None


async def test_coordinator__closed__takes_up_a_new_key_and_a_revoked_one_while_it_runs(chain, network, tmp_path):
    port = free_port()
    origin = f"http://127.0.0.1:{port}"
    key, node_id = await register(chain, Role.COORDINATOR, 2_000_000, origin)
    apple = TaskRequest(prompt="a red apple")

    async def lets_in(client):
        try:
            return bool(await client.submit(apple))
        except KeyRefused:
            return False

    async def refuses(client):
        return not await lets_in(client)

    async with coordinator_running(network, key, tmp_path, port, open=False), AppClient(origin) as stranger:
        with pytest.raises(KeyRefused, match="cuckoo coordinator keys create"):
            await stranger.submit(apple)
        with open_keys(tmp_path / network.name / f"coordinator-{node_id}") as book:
            secret, _ = book.create("shop", Limits(), 1.0)
            async with AppClient(origin, api_key=secret) as app:
                await until(lambda: lets_in(app), seconds=10)
                book.revoke("shop", 2.0)
                await until(lambda: refuses(app), seconds=10)


@pytest.mark.parametrize(
    ("chain_id", "said", "is_open"),
    [(31_337, None, True), (1, None, False), (31_337, False, False), (1, True, True)],
)
def test_access__open_on_the_devnet_or_when_asked_for(chain_id, said, is_open):
    network = SimpleNamespace(is_devnet=chain_id == DEVNET_CHAIN_ID)
    assert open_access(network, CoordinatorSettings(open=said)) is is_open


async def test_coordinator__key_of_nobody_or_of_a_miner__says_which_command_mends_it(chain, network, tmp_path):
    miner_key, _ = await register(chain, Role.MINER, 20_000)
    async with open_chain(network) as shared:
        for key, says in ((secrets.token_bytes(32), "cuckoo stake register"), (miner_key, "cuckoo miner")):
            with pytest.raises(ConfigError, match=says):
                async with open_coordinator(shared, key, tmp_path, CoordinatorSettings(port=0)):
                    pass


async def test_coordinator__port_taken__says_so(chain, network, tmp_path):
    key, _ = await register(chain, Role.COORDINATOR, 2_000_000)
    with coordinating.listen("127.0.0.1", 0) as taken:
        port = taken.getsockname()[1]
        async with open_chain(network) as shared:
            with pytest.raises(ConfigError, match=f"port {port}"):
                async with open_coordinator(shared, key, tmp_path, CoordinatorSettings(port=port)):
                    pass


def test_origins__introduction_and_public_url__are_accepted_beside_loopback():
    row = coordinating.node(1, Role.COORDINATOR, coordinating.COORDINATOR_KEY.address)
    settings = CoordinatorSettings(public_url="https://Cuckoo.example:443/")
    assert origins_of(row, settings, 8080) == {
        "http://127.0.0.1:8080",
        "http://localhost:8080",
        "http://[::1]:8080",
        "https://cuckoo.example",
    }
    with pytest.raises(ConfigError, match="plain http"):
        origins_of(row, CoordinatorSettings(public_url="http://cuckoo.example"), 8080)
