"""What is booked of the chain, once; differences in plain words; what a miner earned."""

import msgspec
import pytest
from structlog.testing import capture_logs

from cuckoo.chain.escrow import EscrowAccount, Movement, MovementKind
from cuckoo.domain.amounts import CAI, Wei
from cuckoo.domain.errors import ChainUnreachable, ConfigError, Conflict
from cuckoo.domain.identifiers import NodeId, Role, TaskId
from cuckoo.runtime.clock import SystemClock
from cuckoo.services.bookkeeping.booking import Booking
from cuckoo.services.bookkeeping.checking import check
from cuckoo.services.bookkeeping.earnings import read_earnings
from cuckoo.storage.ledger import EARNED, ESCROW, FEES, OWED, REDEEMED, THAWING
from cuckoo.storage.records import Cursor, NewEntry, NewReceipt
from cuckoo.storage.store import open_store
from cuckoo.storage.vouchers import StoredVoucher

COORDINATOR, MINER = NodeId(1), NodeId(2)
DAY = 86_400.0
NOTHING = EscrowAccount(balance_wei=Wei(0), thawing_wei=Wei(0), thawed_at=0, redeemed_wei=Wei(0), fees_wei=Wei(0))


class Chain:
    """Movements by block; the last ``unfinal`` blocks may still go."""

    first_block = 5

    def __init__(self, *blocks, unfinal=0, **account):
        self.blocks = list(blocks)
        self.unfinal = unfinal
        self.genesis_hash = "aa"
        self.holds = msgspec.structs.replace(NOTHING, **account)

    async def genesis(self):
        return self.genesis_hash

    async def latest_block(self):
        return self.first_block + len(self.blocks) - 1

    async def final_block(self):
        return await self.latest_block() - self.unfinal

    async def movements(self, first, last):
        return [
            Movement(
                kind=kind,
                coordinator=COORDINATOR,
                miner=MINER,
                amount_wei=Wei(wei),
                fees_wei=Wei(wei // 10) if kind is MovementKind.REDEEMED else Wei(0),
                at=1_000 + number,
                reference=f"ab/{number}",
            )
            for number, (kind, wei) in enumerate(self.blocks, self.first_block)
            if first <= number <= last
        ]

    async def account(self, other, block):
        assert block == await self.latest_block()
        return self.holds


DEPOSITED, THAWS, WITHDRAWN, REDEEMS, PASSED = MovementKind
LIFE = ((DEPOSITED, 100), (THAWS, 80), (REDEEMS, 45), (PASSED, 4), (WITHDRAWN, 55))


@pytest.fixture
async def store(tmp_path):
    async with open_store(tmp_path / "data") as opened:
        yield opened


def booking(store, chain, role=Role.COORDINATOR):
    return Booking(role, store, chain, interval_s=1.0, clock=SystemClock())


async def rows(store, account):
    return [(row.kind, row.amount_wei, row.cumulative_wei) for row in await store.ledger.entries(account)]


async def put(store, account, wei, kind="result", other=MINER, **more):
    entry = NewEntry(account=account, kind=kind, amount_wei=wei, counterparty=other, at=1.0, **more)
    await store.writer.execute(store.ledger.append(entry))


async def keep(store, wei):
    voucher = StoredVoucher(coordinator_node=COORDINATOR, cumulative_wei=Wei(wei), signature=bytes(65), received_at=1.0)
    await store.writer.execute(store.vouchers.keep(voucher))


async def record(store, wei):
    receipt = NewReceipt(
        assignment_hash=bytes(32),
        coordinator_node=COORDINATOR,
        task_id=TaskId("b" * 32),
        attempt=1,
        sequence=1,
        receipt=b"",
        signature=b"",
        result=b"",
        signed_at=1.0,
        price_wei=Wei(wei),
    )
    await store.writer.execute(store.receipts.record(receipt))


async def test_coordinator__a_life_of_an_account__every_change_is_a_row(store):
    assert await booking(store, Chain(*LIFE)).advance() == 7
    assert await rows(store, ESCROW) == [("deposited", 100, 100), ("redeemed", -45, 55), ("withdrawn", -55, 0)]
    assert await rows(store, THAWING) == [("announced", 80, 80), ("redeemed", -25, 55), ("withdrawn", -55, 0)]
    assert await rows(store, REDEEMED) == [("redeemed", 45, 45)]


async def test_miner__a_life_of_an_account__payee_stakers_and_fees(store):
    await booking(store, Chain(*LIFE), Role.MINER).advance()
    assert await rows(store, REDEEMED) == [("to payee", 41, 41), ("to stakers", 4, 45)]
    assert await rows(store, FEES) == [("kept", 4, 4), ("passed on", -4, 0)]


async def test_booking__again_and_after_a_death__each_movement_once(store):
    chain = Chain(*LIFE[:2], unfinal=1)
    assert await booking(store, chain).advance() == 1
    assert await booking(store, chain).advance() == 0
    chain.blocks.append(LIFE[2])
    assert await booking(store, chain).advance() == 1
    chain.unfinal = 0
    assert await booking(store, chain).advance() == 3
    assert len(await rows(store, ESCROW)) == 2


async def test_booking__chain_does_not_answer__nothing_is_lost(store):
    chain = Chain(*LIFE)
    answer = chain.movements

    async def silence(first, last):
        raise ChainUnreachable("no answer")

    chain.movements = silence
    with pytest.raises(ChainUnreachable):
        await booking(store, chain).advance()
    chain.movements = answer
    assert await booking(store, chain).advance() == 7


async def test_booking__another_chain__books_nothing_and_says_so_once(store):
    await booking(store, Chain(*LIFE)).advance()
    other = Chain(*LIFE, *LIFE)
    other.genesis_hash = "bb"
    service = booking(store, other)
    with capture_logs() as said:
        assert await service.advance() == 0
        assert await service.advance() == 0
    assert [line["log_level"] for line in said] == ["error"]
    with pytest.raises(ConfigError, match="it is of a chain"):
        await check(Role.COORDINATOR, store.reader, other)


async def test_book__a_row_twice__neither_row_nor_cursor(store):
    row = NewEntry(account=ESCROW, kind="deposited", amount_wei=1, counterparty=MINER, at=1.0, reference="ab/1")
    await store.writer.execute(store.ledger.book([row], Cursor(genesis="aa", block=1)))
    with pytest.raises(Conflict, match="booked already"):
        await store.writer.execute(store.ledger.book([row], Cursor(genesis="aa", block=2)))
    with pytest.raises(Conflict, match="booked up to 1"):
        await store.writer.execute(store.ledger.book([], Cursor(genesis="aa", block=1)))
    assert await store.ledger.cursor() == Cursor(genesis="aa", block=1)
    assert len(await rows(store, ESCROW)) == 1


async def test_old_backup__miner__takes_over_what_voucher_and_chain_know(store):
    await keep(store, 30)
    await booking(store, Chain(), Role.MINER).advance()
    await booking(store, Chain((REDEEMS, 45)), Role.MINER).advance()
    assert await rows(store, EARNED) == [("adopted from voucher", 30, 30), ("adopted from chain", 15, 45)]


async def test_old_backup__a_result_is_unanswered__nothing_is_taken_over_yet(store):
    await keep(store, 30)
    await record(store, 30)
    await booking(store, Chain((REDEEMS, 45)), Role.MINER).advance()
    assert await rows(store, EARNED) == []


async def found(store, role, chain):
    return [(one.what, one.left_wei, one.right_wei) for one in (await check(role, store.reader, chain)).differences]


async def test_check__all_agrees__no_difference_and_what_is_too_new_is_counted(store):
    await put(store, OWED, 60)
    chain = Chain(*LIFE[:3], unfinal=2, balance_wei=55, thawing_wei=55, redeemed_wei=45)
    await booking(store, chain).advance()
    outcome = await check(Role.COORDINATOR, store.reader, chain)
    assert (outcome.differences, outcome.pending, outcome.booked_to, outcome.block) == ((), 2, 5, 7)
    assert outcome.standings[0].waiting_wei == 15


async def test_check__coordinator__every_difference_is_named(store):
    await booking(store, Chain(*LIFE[:1])).advance()
    await put(store, OWED, 5)
    wrong = Chain((DEPOSITED, 100), balance_wei=99, thawing_wei=1, redeemed_wei=7)
    assert await found(store, Role.COORDINATOR, wrong) == [
        ("held ready", 100, 99),
        ("thawing", 0, 1),
        ("redeemed", 0, 7),
        ("owed", 7, 5),
    ]
    assert await found(store, Role.COORDINATOR, Chain((DEPOSITED, 100))) == [("held ready", 100, 0), ("backing", 5, 0)]


@pytest.mark.parametrize(
    ("earned", "voucher", "unanswered", "account", "differences"),
    [
        (10, 10, 0, {"balance_wei": 10}, []),
        (10, 9, 0, {"balance_wei": 10}, [("earned", 10, 9)]),
        (10, 12, 2, {"balance_wei": 12}, []),
        (10, 13, 2, {"balance_wei": 13}, [("earned", 13, 10)]),
        (10, 10, 0, {"balance_wei": 9}, [("backing", 10, 9)]),
        (0, 0, 0, {"redeemed_wei": 4}, [("redeemed", 0, 4), ("earned", 4, 0)]),
        (0, 0, 0, {"fees_wei": 1}, [("kept for stakers", 0, 1)]),
    ],
)
async def test_check__miner__differences(store, earned, voucher, unanswered, account, differences):
    await put(store, EARNED, earned, other=COORDINATOR)
    await keep(store, voucher)
    await record(store, unanswered)
    assert await found(store, Role.MINER, Chain(**account)) == differences


async def test_check__a_running_sum_is_wrong__named_with_its_row(store):
    await put(store, OWED, 5)
    await store.writer.execute(
        lambda connection: connection.execute(
            "INSERT INTO ledger (at, account, kind, counterparty, amount_wei, cumulative_wei) "
            "VALUES (1, 'owed', 'result', 2, '5', '11')"
        )
    )
    assert await found(store, Role.COORDINATOR, Chain(balance_wei=100)) == [
        ("running sum of owed", 11, 10),
        ("held ready", 0, 100),
    ]


async def test_earnings__days_coordinators_and_models__add_up(store):
    now = 100 * DAY + 5
    for number, (age, wei, model, node) in enumerate(
        [(0, 4 * CAI, "aa", 1), (6, 3 * CAI, "bb", 1), (29, 2 * CAI, "aa", 3), (30, CAI, "", 3)]
    ):
        entry = NewEntry(
            account=EARNED,
            kind="result",
            amount_wei=wei,
            counterparty=NodeId(node),
            at=now - age * DAY,
            task_id=TaskId(f"{number:032x}"),
            attempt=1,
            model=model,
        )
        await store.writer.execute(store.ledger.append(entry))
    await put(store, REDEEMED, 5 * CAI, kind="to payee", other=COORDINATOR, reference="ab/1")
    await keep(store, 7 * CAI)
    found = await read_earnings(store.reader, now)
    assert [(one.results, one.earned_wei // CAI) for one in found.periods().values()] == [
        (1, 4),
        (2, 7),
        (3, 9),
        (4, 10),
    ]
    assert {node: one.earned_wei // CAI for node, one in found.by_coordinator().items()} == {1: 7, 3: 3}
    assert {model: one.earned_wei // CAI for model, one in found.by_model().items()} == {"": 1, "aa": 6, "bb": 3}
    assert found.waiting_wei == {1: 2 * CAI}
    assert sum(day.redeemed_wei for day in found.days) == 5 * CAI
