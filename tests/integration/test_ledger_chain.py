"""The ledger against the real Escrow contract: the model of the random days, what is booked, and the commands."""

import asyncio
import csv
import io
import json
import shutil

import pytest
import pytest_asyncio
from click.testing import CliRunner
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from web3.exceptions import ContractCustomError
from web3.logs import DISCARD

from cuckoo.chain.devnet import running_devnet
from cuckoo.chain.escrow import NodeEscrow
from cuckoo.chain.rpc import ChainClient
from cuckoo.cli.main import cli
from cuckoo.domain.amounts import CAI, Wei
from cuckoo.domain.identifiers import NodeId, Role, TaskId
from cuckoo.protocol.eip712 import Hasher, hash_voucher
from cuckoo.runtime.clock import SystemClock
from cuckoo.services.bookkeeping.booking import Booking
from cuckoo.services.bookkeeping.checking import check
from cuckoo.storage.ledger import EARNED, OWED
from cuckoo.storage.records import NewEntry
from cuckoo.storage.store import open_store
from cuckoo.storage.vouchers import StoredVoucher
from tests.support.escrow_chain import EscrowChain, Fuse, NodeOnChain, Refused
from tests.support.rules import COORDINATOR, MINER
from tests.support.town_chain import TownChain

AMOUNTS = st.integers(1, 5 * CAI) | st.sampled_from([0, 1, 9, 10, CAI])
STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("deposit"), AMOUNTS),
        st.tuples(st.just("thaw"), AMOUNTS),
        st.tuples(st.just("withdraw"), st.booleans()),
        st.tuples(st.just("redeem"), AMOUNTS),
        st.tuples(st.just("redeem"), AMOUNTS),
        st.tuples(st.just("pass fees")),
    ),
    min_size=10,
    max_size=30,
)


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def network(tmp_path_factory):
    folder = tmp_path_factory.mktemp("ledger")
    async with running_devnet(0, folder / "networks" / "devnet.json") as devnet:
        devnet.network_folder = folder
        yield devnet


class Town:
    """A coordinator and its miners on a real chain, and the same in the model."""

    def __init__(self, network):
        self.real = TownChain(network)
        self.owner = self.real.person(50_000_000 * CAI)
        staking = self.real.staking.functions
        self.real.send(self.owner, staking.stake(10_000_000 * CAI))
        self.coordinator = self.register(COORDINATOR, 2_000_000 * CAI)
        self.key = self.real.operators[1]

    def register(self, role, amount):
        wanted = self.real.registration(self.owner, role, amount, 1_000)
        receipt, _ = self.real.send(self.owner, self.real.staking.functions.register(wanted))
        (event,) = self.real.staking.events.Registered().process_receipt(receipt, errors=DISCARD)
        return NodeId(event["args"]["node"])

    def both(self, model, call, act):
        """Do the same on both; they refuse the same."""
        try:
            _, at = self.real.send(self.owner, call)
        except ContractCustomError:
            model.now = self.real.now
            with pytest.raises(Refused):
                act()
        else:
            model.now = at - 1
            act()


@pytest.fixture(scope="module")
def town(network):
    return Town(network.network)


def step(town, model, pair, what, amount=0):
    escrow, account = town.real.escrow.functions, model.account(*pair)
    match what:
        case "deposit":
            town.both(model, escrow.deposit(*pair, amount), lambda: model.deposit(pair[0], [(pair[1], amount)]))
        case "thaw":
            town.both(model, escrow.thaw(*pair, amount), lambda: model.thaw(*pair, amount))
        case "withdraw":
            if amount:
                town.real.pass_time(31)
            town.both(model, escrow.withdrawThawed(*pair), lambda: model.withdraw(*pair))
        case "redeem":
            cumulative = account.redeemed_wei + amount
            signature = town.real.sign(1, hash_voucher(*pair, cumulative))
            call = escrow.redeem((*pair, cumulative), signature)
            town.both(model, call, lambda: model.redeem(*pair, cumulative, signature))
        case _:
            town.both(model, escrow.passFees(*pair), lambda: model.pass_fees(*pair))


@settings(max_examples=15, deadline=None, suppress_health_check=list(HealthCheck))
@given(STEPS)
def test_model__any_movements__is_the_contract(town, steps):
    pair = town.coordinator, town.register(MINER, 20_000 * CAI)
    model = EscrowChain(Hasher(town.real.domain), {pair[0]: town.key.address})
    first = town.real.web3.eth.block_number
    for what, *amount in steps:
        step(town, model, pair, what, *amount)
        balance, thawing, _, redeemed, fees = town.real.escrow.functions.account(*pair).call()
        account = model.account(*pair)
        assert (balance, thawing, redeemed, fees) == (
            account.balance_wei,
            account.thawing_wei,
            account.redeemed_wei,
            account.fees_wei,
        )

    async def moved():
        async with await ChainClient.connect(town.real.network) as client:
            escrow = NodeEscrow(client, Role.MINER, pair[1])
            return await escrow.movements(first, await escrow.latest_block())

    async def expected():
        return await NodeOnChain(model, Role.MINER, pair[1], Fuse()).movements(0, len(model.blocks))

    real, wanted = asyncio.run(moved()), asyncio.run(expected())
    assert [(m.kind, m.coordinator, m.miner, m.amount_wei, m.fees_wei) for m in real] == [
        (m.kind, m.coordinator, m.miner, m.amount_wei, m.fees_wei) for m in wanted
    ]
    assert len({m.reference for m in real}) == len(real)


class Books:
    """A coordinator's and a miner's folder with something in them, and the commands that read them."""

    def __init__(self, town, folder, monkeypatch):
        self.town, self.folder = town, folder
        self.coordinator = town.register(COORDINATOR, 2_000_000 * CAI)
        self.signs = len(town.real.operators)
        self.miner = town.register(MINER, 20_000 * CAI)
        monkeypatch.setenv("CUCKOO_DATA_DIR", str(folder))

    async def fill(self, role, account, other, node):
        async with open_store(self.path(role, node)) as store:
            entry = NewEntry(
                account=account,
                kind="result",
                amount_wei=12 * CAI + 5,
                counterparty=other,
                at=self.town.real.now,
                task_id=TaskId("a" * 32),
                attempt=1,
            )
            await store.writer.execute(store.ledger.append(entry))
            if role is Role.MINER:
                voucher = StoredVoucher(
                    coordinator_node=other, cumulative_wei=Wei(12 * CAI + 5), signature=bytes(65), received_at=1.0
                )
                await store.writer.execute(store.vouchers.keep(voucher))
            return await self.book(store, role, node)

    async def book(self, store, role, node):
        async with await ChainClient.connect(self.town.real.network) as client:
            chain = NodeEscrow(client, role, node)
            booking = Booking(role, store, chain, interval_s=1.0, clock=SystemClock())
            rows = await booking.advance()
            assert await booking.advance() == 0
            assert not (await check(role, store.reader, chain)).differences
            return rows

    def path(self, role, node):
        return self.folder / self.town.real.network.name / f"{role.name.lower()}-{node}"

    def run(self, *arguments):
        return CliRunner().invoke(cli, [str(one) for one in arguments], prog_name="cuckoo")


def test_commands__real_chain__show_check_and_sum_up(network, town, tmp_path, monkeypatch):
    shutil.copytree(network.network_folder, tmp_path, dirs_exist_ok=True)
    books = Books(town, tmp_path, monkeypatch)
    real, pair = town.real, (books.coordinator, books.miner)
    real.send(town.owner, real.escrow.functions.deposit(*pair, 50 * CAI))
    cumulative = 12 * CAI + 5
    real.send(
        town.owner,
        real.escrow.functions.redeem((*pair, cumulative), real.sign(books.signs, hash_voucher(*pair, cumulative))),
    )
    real.send(town.owner, real.escrow.functions.thaw(*pair, CAI))
    real.pass_time(1)
    real.pass_time(1)
    real.pass_time(1)
    asyncio.run(books.fill(Role.COORDINATOR, OWED, books.miner, books.coordinator))
    assert asyncio.run(books.fill(Role.MINER, EARNED, books.coordinator, books.miner)) == 3
    real.send(town.owner, real.escrow.functions.passFees(*pair))

    several = books.run("ledger", "check")
    assert several.exit_code != 0
    for role in ("coordinator", "miner"):
        checked = books.run("ledger", "check", "--role", role, "--json")
        assert checked.exit_code == 0, checked.output
        assert json.loads(checked.stdout)["agree"] is True
        assert "agree to the wei" in books.run("ledger", "check", "--role", role).stderr
    accounts = json.loads(books.run("ledger", "check", "--role", "miner", "--json").stdout)["accounts"]
    assert accounts[0]["redeemed"] == "12.000000000000000005"
    assert (accounts[0]["held_ready"], accounts[0]["thawing"]) == ("37.999999999999999995", "1")
    rows = list(csv.DictReader(io.StringIO(books.run("ledger", "show", "--role", "miner", "--csv", "-").stdout)))
    assert [(row["account"], row["kind"], row["cai"]) for row in rows] == [
        ("earned", "result", "12.000000000000000005"),
        ("redeemed", "to payee", "10.800000000000000005"),
        ("redeemed", "to stakers", "1.2"),
        ("fees", "kept", "1.2"),
    ]
    earned = json.loads(books.run("miner", "earnings", "--json").stdout)
    assert earned["periods"]["total"] == {
        "results": 1,
        "earned": "12.000000000000000005",
        "redeemed": "12.000000000000000005",
    }
    assert earned["waiting"] == "0"

    async def damage():
        async with open_store(books.path(Role.COORDINATOR, books.coordinator)) as store:
            wrong = NewEntry(account="escrow", kind="deposited", amount_wei=1, counterparty=books.miner, at=1.0)
            await store.writer.execute(store.ledger.append(wrong))

    asyncio.run(damage())
    checked = books.run("ledger", "check", "--role", "coordinator")
    assert checked.exit_code == 1
    assert "a movement on chain is missing in this ledger" in " ".join(checked.stdout.split())
    assert "0.000000000000000001" in checked.stdout
