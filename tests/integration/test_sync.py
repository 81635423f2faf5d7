"""The registry read from nothing in a few calls, and put right after deep reorganisations, on a chain of its own."""

import asyncio
import secrets
from contextlib import suppress

import msgspec
import pytest
import pytest_asyncio

from cuckoo.chain import contracts
from cuckoo.chain.answers import RequestRefused
from cuckoo.chain.artifact import load_artifact
from cuckoo.chain.contracts import StakingContract
from cuckoo.chain.devnet import DEPLOYER_KEY, running_devnet
from cuckoo.chain.events import StakingEvents
from cuckoo.chain.rpc import ChainClient
from cuckoo.chain.transactions import Sender
from cuckoo.domain.amounts import CAI, MINER_MINIMUM
from cuckoo.domain.errors import ChainUnreachable, TransientError
from cuckoo.domain.identifiers import Role
from cuckoo.domain.node import Introduction
from cuckoo.protocol.signing import Signer
from cuckoo.runtime.clock import SystemClock
from cuckoo.services.follower import Follower
from cuckoo.services.staking.registration import NewNode, Registration
from cuckoo.services.staking.wallet import Wallet
from tests.support.crowd import register_miners
from tests.support.endpoints import Proxy

MINERS = 250
PAGE = 100


class Strict(Proxy):
    """Computes pages of at most ``most`` nodes."""

    most = 40

    async def answer(self, request):
        if request["method"] == "eth_call":
            arguments = bytes.fromhex(request["params"][0]["data"][10:])
            if len(arguments) == 96 and int.from_bytes(arguments[64:], "big") > self.most:
                error = {"code": -32000, "message": "out of gas"}
                return {"jsonrpc": "2.0", "id": request["id"], "error": error}
        return await super().answer(request)


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def crowd(tmp_path_factory):
    """A network with many miners, one of which says something that is no UTF-8, and a coordinator."""
    async with running_devnet(0, tmp_path_factory.mktemp("crowd") / "network.json") as devnet:
        async with await ChainClient.connect(devnet.network) as client:
            await register_miners(client, MINERS)
            owner = Sender(client, DEPLOYER_KEY)
            wallet = Wallet(client, owner.address, owner)
            await wallet.deposit(2_000_000 * CAI)
            new = NewNode(role=Role.COORDINATOR, introduction=Introduction(name="nest"), amount=2_000_000 * CAI)
            await Registration(client, owner).register(new, Signer(secrets.token_bytes(32)))
        yield devnet.network


@pytest.fixture
async def client(crowd):
    async with await ChainClient.connect(crowd) as connected:
        yield connected


def web3_contract(client):
    return client.web3.eth.contract(client.network.staking, abi=load_artifact("Staking").abi)


async def view(client):
    """Read everything anew, as a follower that starts now does."""
    fresh = Follower(client, SystemClock())
    await fresh.start()
    return fresh


async def test_start__many_miners__takes_a_handful_of_requests(crowd, monkeypatch):
    monkeypatch.setattr(contracts, "PAGE", PAGE)
    async with Proxy(crowd.rpc_urls[0]).running() as proxy, ChainClient(crowd, [proxy.url]) as client:
        follower = await view(client)
    assert len(follower.miners()) == MINERS
    assert [node.introduction for node in follower.coordinators()] == ['{"name":"nest"}']
    assert {node.introduction for node in follower.miners()} == {
        f'{{"name":"miner {number}","text":"One of many."}}' for number in range(MINERS)
    }
    assert all(node.weight_wei == MINER_MINIMUM for node in follower.miners())
    assert proxy.count("eth_call") == 4
    assert len(proxy.asked) <= 10


async def test_nodes__endpoint_computes_small_pages_only__they_are_halved_until_it_does(crowd, client, monkeypatch):
    monkeypatch.setattr(contracts, "PAGE", PAGE)
    async with Strict(crowd.rpc_urls[0]).running() as strict, ChainClient(crowd, [strict.url]) as limited:
        found = await StakingContract(limited).nodes(Role.MINER)
        assert strict.count("eth_call") == 2 + MINERS // 25
        strict.most = 0
        with pytest.raises(RequestRefused, match="read the miners: the RPC endpoint says: out of gas"):
            await StakingContract(limited).nodes(Role.MINER)
    assert found == await StakingContract(client).nodes(Role.MINER)


async def test_nodes__decoded_by_us__are_what_web3_decodes(client):
    block = (await client.block()).number
    rows, cursor = await web3_contract(client).functions.nodes(0, 10, 20).call(block_identifier=block)
    assert cursor == 30
    staking = StakingContract(client)
    for row, node in zip(rows, (await staking.nodes(Role.MINER, block))[10:30], strict=True):
        (node_id, role, owner, operator, _, _, weight, floor, own, votes, commission, highest, _, _, jailed, _) = row
        assert msgspec.structs.astuple(node) == (
            *(node_id, role, owner, operator, weight, own[0], own[3], votes[0], votes[3], floor),
            *(commission, highest, jailed, ""),
        )
        assert await staking.node(node_id, block) == node


async def test_node__block_before_the_contract__may_pass(client):
    with pytest.raises(ChainUnreachable, match="no contract at"):
        await StakingContract(client).node(1, 0)


async def test_events__decoded_by_us__are_what_web3_decodes(client):
    contract = web3_contract(client)
    latest = (await client.block()).number
    logs = await client.logs([client.network.staking], 0, latest)
    events = StakingEvents(client).decode(logs)
    assert len(events) == len(logs)
    first = {event.name: (event, log) for event, log in reversed(list(zip(events, logs, strict=True)))}
    assert {"Registered", "Voted", "Weighed", "OwnershipTransferred"} <= first.keys()
    for event, log in first.values():
        assert event.arguments == dict(contract.events[event.name]().process_log(log)["args"])


async def test_introduction__no_utf_8__is_read_all_the_same(client):
    """Anybody may register any bytes; that must not stop those who read the registry."""
    owner = Sender(client, DEPLOYER_KEY)
    text = b'{"name":"\xff\xfe"}'
    call = web3_contract(client).functions.setIntroduction(1, "x" * len(text))
    data = bytes.fromhex(call._encode_transaction_data()[2:]).replace(b"x" * len(text), text)
    await owner.send_raw({"to": client.network.staking, "data": data}, "introduce node 1")
    follower = await view(client)
    assert follower.node(1).introduction == '{"name":"\ufffd\ufffd"}'
    assert follower.node(1).url == ""


@pytest.mark.parametrize("method", ["anvil_reorg", "anvil_rollback"])
async def test_follower__reorganisation_64_blocks_deep__view_is_as_if_it_had_never_been(client, method):
    async def mine():
        await client.web3.provider.make_request("evm_mine", [])

    async def reorganise():
        parameters = [64, []] if method == "anvil_reorg" else [64]
        answer = await client.web3.provider.make_request(method, parameters)
        assert "error" not in answer, answer

    owner = Sender(client, DEPLOYER_KEY)
    registration, wallet = Registration(client, owner), Wallet(client, owner.address, owner)
    await wallet.deposit(200_000 * CAI)
    follower = await view(client)
    kept = follower.node(2).introduction
    for _ in range(8):
        await mine()
        await follower.advance()
    fork = (await client.block()).number

    changed = Signer(secrets.token_bytes(32))
    new = NewNode(role=Role.MINER, introduction=Introduction(name="soon gone"), amount=MINER_MINIMUM)
    gone = await registration.register(new, changed)
    await registration.introduce(2, Introduction(name="soon forgotten"))
    await follower.advance()
    await wallet.vote(3, 5_000 * CAI)
    await registration.rotate_operator(4, Signer(secrets.token_bytes(32)))
    while (await client.block()).number < fork + 60:
        await mine()
        await follower.advance()
    assert follower.by_operator(changed.address).node_id == gone.node_id
    assert follower.node(2).introduction == '{"name":"soon forgotten"}'

    heard = []
    follower.subscribe(heard.append)
    await reorganise()
    await follower.advance()
    fresh = await view(client)
    assert follower.rollbacks == 1
    assert heard
    assert follower.by_operator(changed.address) is None
    assert follower.node(2).introduction == kept
    assert follower.miners() == fresh.miners()
    assert follower.coordinators() == fresh.coordinators()

    await registration.introduce(5, Introduction(name="after all"))
    await follower.advance()
    assert follower.node(5).introduction == '{"name":"after all"}'


async def test_follower__many_reorganisations_at_once__every_view_converges(client):
    """Whatever is reorganised while followers read, each is right once the chain is quiet."""
    followers = [await view(client) for _ in range(3)]
    registration = Registration(client, Sender(client, DEPLOYER_KEY))

    async def advance(follower):
        with suppress(TransientError):  # a chain that shrinks while it is read; run() tries again too
            await follower.advance()
            return True
        return False

    for depth in (1, 3, 7, 2):
        await registration.introduce(6, Introduction(name=f"depth {depth}"))
        reorganise = client.web3.provider.make_request("anvil_reorg", [depth, []])
        await asyncio.gather(reorganise, *(advance(follower) for follower in followers))
    for follower in followers:
        async with asyncio.timeout(60):
            while not await advance(follower):
                pass
    fresh = await view(client)
    for follower in followers:
        await follower.advance()
        assert follower.miners() == fresh.miners()
