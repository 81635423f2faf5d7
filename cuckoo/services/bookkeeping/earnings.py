"""What a miner earned, by day, coordinator and model, out of its ledger."""

import sqlite3
from collections import Counter
from collections.abc import Iterable
from datetime import UTC, date, datetime, timedelta

import msgspec

from cuckoo.domain.identifiers import NodeId
from cuckoo.storage.books import read_books
from cuckoo.storage.ledger import EARNED, REDEEMED
from cuckoo.storage.writer import Reader


class Day(msgspec.Struct, frozen=True, kw_only=True):
    """What one coordinator brought in a day (UTC) with one model. Amounts in wei.

    Attributes:
        model: its digest; "" for redemptions, and where it is not known.
        results: accepted ones.
    """

    day: date
    coordinator: NodeId
    model: str
    results: int
    earned_wei: int
    redeemed_wei: int


class Total(msgspec.Struct, frozen=True, kw_only=True):
    """What came in within a time. Amounts in wei."""

    results: int
    earned_wei: int
    redeemed_wei: int


class Earnings(msgspec.Struct, frozen=True, kw_only=True):
    """All that a miner earned. ``waiting_wei``: in vouchers and not booked as redeemed, by coordinator."""

    today: date
    days: tuple[Day, ...]
    waiting_wei: dict[NodeId, int]

    def periods(self) -> dict[str, Total]:
        """Add up today, the last 7 and 30 days (today is one of them), and everything."""
        spans = {"today": 1, "7 days": 7, "30 days": 30}
        found = {
            name: total(day for day in self.days if day.day > self.today - timedelta(days=span))
            for name, span in spans.items()
        }
        return {**found, "total": total(self.days)}

    def by_coordinator(self) -> dict[NodeId, Total]:
        """Add up each coordinator's."""
        nodes = sorted({day.coordinator for day in self.days} | set(self.waiting_wei))
        return {node: total(day for day in self.days if day.coordinator == node) for node in nodes}

    def by_model(self) -> dict[str, Total]:
        """Add up what results earned, by the model's digest; "" where it is not known."""
        models = sorted({day.model for day in self.days if day.earned_wei})
        return {model: total(day for day in self.days if day.model == model and day.earned_wei) for model in models}


def total(days: Iterable[Day]) -> Total:
    """Add up."""
    results = earned_wei = redeemed_wei = 0
    for day in days:
        results, earned_wei, redeemed_wei = (
            results + day.results,
            earned_wei + day.earned_wei,
            redeemed_wei + day.redeemed_wei,
        )
    return Total(results=results, earned_wei=earned_wei, redeemed_wei=redeemed_wei)


async def read_earnings(reader: Reader, now: float) -> Earnings:
    """Read a miner's ledger.

    Args:
        reader: of its database.
        now: unix seconds.
    """
    return await reader.execute(lambda connection: _read(connection, now))


def _read(connection: sqlite3.Connection, now: float) -> Earnings:
    counts: Counter[tuple[date, NodeId, str, str]] = Counter()
    rows = connection.execute(
        "SELECT at, counterparty, model, account, kind, amount_wei FROM ledger WHERE account IN (?, ?)",
        (EARNED, REDEEMED),
    )
    for at, counterparty, model, account, kind, amount_wei in rows:
        key = datetime.fromtimestamp(at, UTC).date(), NodeId(counterparty), model
        counts[*key, account] += int(amount_wei)
        counts[*key, "results"] += kind == "result"
    days = tuple(
        Day(
            day=day,
            coordinator=node,
            model=model,
            results=counts[day, node, model, "results"],
            earned_wei=counts[day, node, model, EARNED],
            redeemed_wei=counts[day, node, model, REDEEMED],
        )
        for day, node, model in sorted({key[:3] for key in counts})
    )
    books = read_books(connection)
    waiting = {node: max(0, wei - books.sum_wei(REDEEMED, node)) for node, wei in books.vouchers.items()}
    return Earnings(today=datetime.fromtimestamp(now, UTC).date(), days=days, waiting_wei=waiting)
