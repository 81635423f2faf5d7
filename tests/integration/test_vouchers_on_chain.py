"""A voucher becomes CAI whatever happens to process, transaction and chain, and never twice; on a real chain."""

import asyncio
import os
import secrets
import sys
from dataclasses import dataclass
from pathlib import Path

import pytest
import structlog

import cuckoo
from cuckoo.chain.contracts import TokenContract
from cuckoo.chain.deployment import write_network
from cuckoo.chain.escrow import EscrowContract
from cuckoo.chain.rpc import ChainClient
from cuckoo.chain.transactions import Sender
from cuckoo.domain.amounts import CAI, Wei
from cuckoo.domain.errors import CuckooError
from cuckoo.domain.identifiers import Role
from cuckoo.domain.node import Introduction
from cuckoo.protocol.eip712 import Domain, Hasher
from cuckoo.protocol.receipts import Voucher
from cuckoo.protocol.signing import Signer
from cuckoo.services.staking.registration import NewNode, Registration
from cuckoo.services.staking.wallet import drip
from tests.support.endpoints import Proxy
from tests.support.redeeming import look, redeeming

CHILD = Path(__file__).with_name("redeeming_child.py")
SEND, GAS_PRICE = "eth_sendRawTransaction", "eth_gasPrice"
OWED = 7 * CAI + 1


class Meddling(Proxy):
    """Keeps some transactions back, and says what gas costs.

    Attributes:
        keeps: so many of the next ones are acknowledged and kept.
        kept: requests that were.
        on_send: called before one is passed on; what it returns is answered instead.
    """

    def __init__(self, upstream):
        super().__init__(upstream)
        self.keeps = 0
        self.kept = []
        self.gas_price = None
        self.on_send = None

    async def answer(self, request):
        if request["method"] == GAS_PRICE and self.gas_price is not None:
            return {"jsonrpc": "2.0", "id": request["id"], "result": hex(self.gas_price)}
        if request["method"] == SEND:
            if self.on_send is not None and (answer := await self.on_send(request)) is not None:
                return answer
            if self.keeps:
                self.keeps -= 1
                self.kept.append(request)
                return {"jsonrpc": "2.0", "id": request["id"], "result": "0x" + "00" * 32}
        return await self.pass_on(request)


@dataclass
class Pair:
    """A coordinator that holds 10 CAI ready, a miner that has earned 7 and a wei, and the endpoint it uses."""

    owner: Sender
    operator: Signer
    coordinator: int
    miner_key: bytes
    miner: int
    escrow: EscrowContract
    proxy: Meddling

    def voucher(self, cumulative=OWED):
        """Return (coordinator, cumulative, signature)."""
        network = self.escrow._client.network
        voucher = Voucher(coordinator_node=self.coordinator, miner_node=self.miner, cumulative=Wei(cumulative))
        digest = Hasher(Domain(network.chain_id, network.staking)).digest(voucher.struct_hash())
        return self.coordinator, cumulative, self.operator.sign(digest)

    async def account(self):
        return await self.escrow.account(self.coordinator, self.miner)

    async def write(self, name, *arguments):
        await self.escrow._write(self.owner, name, name, self.coordinator, self.miner, *arguments)

    async def look(self, client, **rules):
        return await look(client, self.miner_key, self.miner, self.voucher(), **rules)


async def node(chain, role, cai):
    owner, operator = await chain.person(cai=0), secrets.token_bytes(32)
    await drip(chain.client, chain.payer, Signer(operator).address)
    await owner.deposit(cai * CAI)
    new = NewNode(role=role, introduction=Introduction(name="a node"), amount=cai * CAI)
    registered = await Registration(chain.client, owner.sender).register(new, Signer(operator))
    return owner.sender, operator, registered.node_id


@pytest.fixture
async def pair(chain, network):
    owner, operator, coordinator = await node(chain, Role.COORDINATOR, 2_000_000)
    _, miner_key, miner = await node(chain, Role.MINER, 20_000)
    escrow = EscrowContract(chain.client)
    await TokenContract(chain.client).approve(owner, escrow.address, Wei(10 * CAI))
    await escrow.deposit(owner, coordinator, [(miner, Wei(10 * CAI))])
    async with Meddling(network.rpc_urls[0]).running() as proxy:
        yield Pair(owner, Signer(operator), coordinator, miner_key, miner, escrow, proxy)


@pytest.fixture
async def client(network, pair, tmp_path):
    """The miner's own, through the endpoint that meddles."""
    async with await ChainClient.connect(network, [pair.proxy.url], tmp_path / "outbox.sqlite") as client:
        yield client


async def test_voucher__redeemed__to_the_wei_and_once(pair, client):
    assert await pair.look(client) == [pair.coordinator]
    account = await pair.account()
    assert (account.redeemed_wei, account.balance_wei) == (OWED, 10 * CAI - OWED)
    assert account.fees_wei == 0, "the stakers' part was passed on"
    sent = pair.proxy.count(SEND)
    assert await pair.look(client) == []
    assert pair.proxy.count(SEND) == sent


@pytest.mark.parametrize("lost", [1, 3])
async def test_transaction__dropped_and_replaced__paid_once(pair, client, lost):
    pair.proxy.keeps = lost
    assert await pair.look(client) == [pair.coordinator]
    for late in pair.proxy.kept:
        assert "error" in await pair.proxy.pass_on(late), "an older version comes back: its nonce is used"
    assert len({kept["params"][0] for kept in pair.proxy.kept}) == lost, "each version has higher fees"
    assert (await pair.account()).redeemed_wei == OWED


async def test_reorganisation__throws_the_redemption_out__paid_again_at_the_next_look(chain, pair, client):
    snapshot = (await chain.client.web3.provider.make_request("evm_snapshot", []))["result"]
    await pair.look(client)
    await chain.client.web3.provider.make_request("evm_revert", [snapshot])
    assert (await pair.account()).redeemed_wei == 0
    with structlog.testing.capture_logs() as logs:
        paid = await pair.look(client)
    assert paid == [pair.coordinator], logs
    assert [entry for entry in logs if entry["event"] == "voucher refused by the chain"] == []
    assert (await pair.account()).redeemed_wei == OWED
    assert await pair.look(client) == []


@pytest.mark.parametrize("place", ["before", "after"])
async def test_kill_9__around_sending__the_next_process_is_paid_exactly(pair, network, tmp_path, place):
    file, outbox = tmp_path / "network.json", tmp_path / "outbox.sqlite"
    write_network(network, file)
    coordinator, cumulative, signature = pair.voucher()
    root = Path(cuckoo.__file__).parent.parent
    child = await asyncio.create_subprocess_exec(
        *(sys.executable, str(CHILD), pair.proxy.url, str(file), str(outbox)),
        *(str(coordinator), str(pair.miner), str(cumulative), signature.hex()),
        env={**os.environ, "PYTHONPATH": str(root), "MINER_KEY": pair.miner_key.hex()},
        stdout=asyncio.subprocess.PIPE,
    )

    async def kill(request):
        pair.proxy.on_send = None
        answer = await pair.proxy.pass_on(request) if place == "after" else None
        child.kill()
        await child.wait()
        return answer or {"jsonrpc": "2.0", "id": request["id"], "error": {"code": -32000, "message": "too late"}}

    pair.proxy.on_send = kill
    output, _ = await child.communicate()
    assert (child.returncode, output) == (-9, b"")
    assert (await pair.account()).redeemed_wei == (OWED if place == "after" else 0)
    async with await ChainClient.connect(network, [pair.proxy.url], outbox) as client:
        await pair.look(client)
    assert (await pair.account()).redeemed_wei == OWED


async def test_gas__spike_on_the_chain__waits_and_is_paid_afterwards(pair, client):
    pair.proxy.gas_price = 500 * 10**9
    limit = {"max_gas_price_wei": 100 * 10**9}
    assert await pair.look(client, **limit) == []
    assert pair.proxy.count(SEND) == 0
    pair.proxy.gas_price = None
    assert await pair.look(client, **limit) == [pair.coordinator]


async def test_thaw__of_everything_under_the_miners_feet__is_redeemed_before_it_can_leave(chain, pair, client):
    pair.proxy.gas_price = 500 * 10**9
    miner = redeeming(client, pair.miner_key, pair.miner, pair.voucher(), at_wei=Wei(100 * CAI), max_gas_price_wei=1)
    assert await miner.look() == [], "neither worth it nor at this price of gas"
    await pair.write("thaw", 10 * CAI)
    with pytest.raises(CuckooError, match="StillThawing"):
        await pair.write("withdrawThawed")
    assert await miner.look() == [pair.coordinator]
    await chain.pass_time(31)
    await pair.write("withdrawThawed")
    account = await pair.account()
    assert (account.redeemed_wei, account.balance_wei) == (OWED, 0)


async def test_thaw__that_leaves_enough__is_no_hurry(pair, client):
    miner = redeeming(client, pair.miner_key, pair.miner, pair.voucher(), at_wei=Wei(100 * CAI))
    await pair.write("thaw", 3 * CAI - 1)
    assert await miner.look() == []
    await pair.write("thaw", 1)
    assert await miner.look() == [pair.coordinator]
