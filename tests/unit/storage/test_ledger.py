import asyncio
import sqlite3
import tempfile
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cuckoo.domain.errors import Conflict
from cuckoo.domain.identifiers import NodeId, TaskId
from cuckoo.storage.records import NewEntry
from cuckoo.storage.store import open_store

ENTRIES = st.lists(
    st.tuples(
        st.sampled_from(["owed", "redeemed"]), st.integers(1, 3), st.integers(-(10**40), 10**40), st.integers(1, 8)
    ),
    max_size=30,
)


def entry(**fields):
    return NewEntry(
        **{"account": "owed", "kind": "result", "amount_wei": 5, "counterparty": NodeId(2), "at": 1.0, **fields}
    )


@settings(max_examples=40, deadline=None)
@given(ENTRIES)
def test_append__any_entries__sums_are_exact_and_nothing_is_booked_twice(rows):
    async def scenario():
        with tempfile.TemporaryDirectory() as folder:
            async with open_store(Path(folder)) as store:
                answers = await asyncio.gather(
                    *(
                        store.writer.execute(
                            store.ledger.append(
                                entry(
                                    account=account,
                                    counterparty=NodeId(node),
                                    amount_wei=amount,
                                    task_id=TaskId(f"{task:032x}"),
                                    attempt=1,
                                )
                            )
                        )
                        for account, node, amount, task in rows
                    ),
                    return_exceptions=True,
                )
                sums = {
                    (account, node): await store.ledger.cumulative(account, NodeId(node))
                    for account in ("owed", "redeemed")
                    for node in (1, 2, 3)
                }
                totals = {account: await store.ledger.total(account) for account in ("owed", "redeemed")}
                history = {account: await store.ledger.entries(account) for account in totals}
                return answers, sums, totals, history

    answers, sums, totals, history = asyncio.run(scenario())
    expected = dict.fromkeys(sums, 0)
    booked = set()
    for (account, node, amount, task), answer in zip(rows, answers, strict=True):
        if (account, task) in booked:
            assert isinstance(answer, Conflict)
            continue
        booked.add((account, task))
        expected[account, node] += amount
        assert answer.cumulative_wei == expected[account, node]
    assert sums == expected
    for account, total in totals.items():
        assert total == sum(sums[account, node] for node in (1, 2, 3))
        assert total == sum(row.amount_wei for row in history[account])


async def test_append__read_back__equal(store):
    stored = await store.writer.execute(
        store.ledger.append(entry(amount_wei=10**30, task_id=TaskId("a" * 32), attempt=2))
    )
    assert await store.ledger.entries("owed") == [stored]
    assert stored.cumulative_wei == 10**30


async def test_append__without_a_task__booked_each_time(store):
    for _ in range(2):
        await store.writer.execute(store.ledger.append(entry()))
    assert await store.ledger.total("owed") == 10


async def test_entries__paged_and_by_node__in_order(store):
    for node in (1, 2, 1):
        await store.writer.execute(store.ledger.append(entry(counterparty=NodeId(node))))
    (first,) = await store.ledger.entries("owed", limit=1)
    assert [row.counterparty for row in await store.ledger.entries("owed", after=first.entry_id)] == [2, 1]
    assert len(await store.ledger.entries("owed", NodeId(1))) == 2


@pytest.mark.parametrize("statement", ["UPDATE ledger SET amount_wei = '0'", "DELETE FROM ledger"])
async def test_ledger__changed_by_hand__refused(store, statement):
    await store.writer.execute(store.ledger.append(entry()))
    with pytest.raises(sqlite3.IntegrityError, match="append-only"):
        await store.writer.execute(lambda connection: connection.execute(statement))
    assert await store.ledger.total("owed") == 5
