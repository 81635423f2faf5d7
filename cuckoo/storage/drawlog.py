"""The draw log of a coordinator, its seed tips and the seeds of its periods."""
# ruff: noqa: S608 - the SQL is put together from this package's own column lists, never from what anybody sent

import sqlite3
from typing import Any

from cuckoo.domain.errors import Conflict, NotFound
from cuckoo.storage.records import LogChunk, PeriodLog, PeriodSeed, SeedTip
from cuckoo.storage.writer import Command, Reader

_CHUNK = "tip, period, first_row, row_count, first_draw, draw_count, rows, head"
_TIP = "tip, secret, created_at, first_period, block"


class DrawLog:
    """Append-only rows per seed tip, with the running head."""

    def __init__(self, reader: Reader) -> None:
        """Read through ``reader``."""
        self._reader = reader

    def record_tip(self, tip: SeedTip) -> Command[None]:
        """Store a tip and its secret, before it is committed on chain; again with block and period, afterwards.

        Raises (from the command):
            Conflict: the tip is stored with another secret.
        """

        def run(connection: sqlite3.Connection) -> None:
            stored = connection.execute(
                "INSERT INTO seed_tips (tip, secret, created_at, first_period, block) VALUES (?, ?, ?, ?, ?) "
                "ON CONFLICT (tip) DO UPDATE SET first_period = coalesce(excluded.first_period, first_period), "
                "block = coalesce(excluded.block, block) RETURNING secret",
                (tip.tip, tip.secret, tip.created_at, tip.first_period, tip.block),
            ).fetchone()
            if stored[0] != tip.secret:
                raise Conflict(f"store seed tip {tip.tip.hex()}: it is stored with another secret")

        return run

    def record_period(self, seed: PeriodSeed) -> Command[None]:
        """Store the seed of a period; a repeat changes nothing.

        Raises (from the command):
            Conflict: this tip and period have another seed already.
            NotFound: no such tip.
        """

        def run(connection: sqlite3.Connection) -> None:
            tip_id = _tip_id(connection, seed.tip)
            given = (seed.seed, seed.block, seed.block_hash)
            connection.execute(
                "INSERT INTO draw_periods VALUES (?, ?, ?, ?, ?) ON CONFLICT DO NOTHING", (tip_id, seed.period, *given)
            )
            stored = connection.execute(
                "SELECT seed, block, block_hash FROM draw_periods WHERE tip_id = ? AND period = ?",
                (tip_id, seed.period),
            ).fetchone()
            if stored != given:
                raise Conflict(f"store the seed of period {seed.period}: it has another one, of block {stored[1]}")

        return run

    def append(self, chunk: LogChunk) -> Command[None]:
        """Append rows, in the same transaction as the attempt that signs their head.

        Raises (from the command):
            NotFound: no such tip.
            Conflict: rows or draws do not follow the tip's last ones without a gap, or the period lies before theirs.
        """

        def run(connection: sqlite3.Connection) -> None:
            tip_id = _tip_id(connection, chunk.tip)
            row, draw, period = _end(connection, tip_id) or (0, 0, chunk.period)
            if (chunk.first_row, chunk.first_draw) != (row, draw) or chunk.period < period:
                raise Conflict(
                    f"append to the draw log of tip {chunk.tip.hex()}: row {chunk.first_row}, draw {chunk.first_draw}, "
                    f"period {chunk.period} do not follow; next are row {row}, draw {draw}, period {period} or later"
                )
            connection.execute(
                "INSERT INTO draw_chunks VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
                (
                    tip_id,
                    chunk.first_row,
                    chunk.row_count,
                    chunk.first_draw,
                    chunk.draw_count,
                    chunk.period,
                    chunk.rows,
                    chunk.head,
                ),
            )

        return run

    async def tips(self) -> list[SeedTip]:
        """Read all tips, oldest first."""
        rows = await self._reader.execute(
            lambda connection: connection.execute(f"SELECT {_TIP} FROM seed_tips ORDER BY tip_id").fetchall()
        )
        return [_seed_tip(row) for row in rows]

    async def last(self, tip: bytes) -> LogChunk | None:
        """Read a tip's last chunk: its head is the log's; None without a row."""
        found = await self._reader.execute(
            lambda connection: _chunks(connection, "WHERE tip = ? ORDER BY first_row DESC LIMIT 1", (tip,))
        )
        return found[0] if found else None

    async def chunk_of_draw(self, tip: bytes, draw_index: int) -> LogChunk:
        """Read the chunk that holds a draw; raises NotFound."""
        found = await self._reader.execute(
            lambda connection: _chunks(
                connection,
                "WHERE tip = ?1 AND first_draw <= ?2 AND first_draw + draw_count > ?2 LIMIT 1",
                (tip, draw_index),
            )
        )
        if not found:
            raise NotFound(f"read draw {draw_index} of tip {tip.hex()}: it is not in the log, or no longer")
        return found[0]

    async def period(self, period: int) -> list[PeriodLog]:
        """Read everything of a period: one element per tip that served it, oldest tip first."""
        return await self._reader.execute(lambda connection: _period(connection, period))

    def forget_before(self, period: int) -> Command[int]:
        """Delete log and seeds of periods below ``period``; each tip's last chunk of them stays, for its head.

        Returns (from the command):
            How many chunks went.
        """

        def run(connection: sqlite3.Connection) -> int:
            connection.execute("DELETE FROM draw_periods WHERE period < ?", (period,))
            return connection.execute(
                "DELETE FROM draw_chunks WHERE period < ?1 AND first_row < (SELECT max(first_row) "
                "FROM draw_chunks AS other WHERE other.tip_id = draw_chunks.tip_id AND other.period < ?1)",
                (period,),
            ).rowcount

        return run


def _tip_id(connection: sqlite3.Connection, tip: bytes) -> int:
    row = connection.execute("SELECT tip_id FROM seed_tips WHERE tip = ?", (tip,)).fetchone()
    if row is None:
        raise NotFound(f"read seed tip {tip.hex()}: it is not stored")
    tip_id: int = row[0]
    return tip_id


def _end(connection: sqlite3.Connection, tip_id: int) -> tuple[int, int, int] | None:
    """Find what follows a tip's last chunk: (row, draw, earliest period)."""
    row: tuple[int, int, int] | None = connection.execute(
        "SELECT first_row + row_count, first_draw + draw_count, period FROM draw_chunks "
        "WHERE tip_id = ? ORDER BY first_row DESC LIMIT 1",
        (tip_id,),
    ).fetchone()
    return row


def _chunks(connection: sqlite3.Connection, clauses: str, values: tuple[object, ...]) -> list[LogChunk]:
    rows = connection.execute(
        f"SELECT {_CHUNK} FROM draw_chunks JOIN seed_tips USING (tip_id) {clauses}", values
    ).fetchall()
    return [LogChunk(**dict(zip(_CHUNK.split(", "), row, strict=True))) for row in rows]


def _seed_tip(row: tuple[Any, ...]) -> SeedTip:
    return SeedTip(**dict(zip(_TIP.split(", "), row, strict=True)))


def _period(connection: sqlite3.Connection, period: int) -> list[PeriodLog]:
    tips = connection.execute(
        f"SELECT tip_id, {_TIP} FROM seed_tips WHERE tip_id IN "
        "(SELECT tip_id FROM draw_periods WHERE period = ?1 UNION SELECT tip_id FROM draw_chunks WHERE period = ?1) "
        "ORDER BY tip_id",
        (period,),
    ).fetchall()
    return [_period_of_tip(connection, period, tip_id, _seed_tip(row)) for tip_id, *row in tips]


def _period_of_tip(connection: sqlite3.Connection, period: int, tip_id: int, tip: SeedTip) -> PeriodLog:
    seed = connection.execute(
        "SELECT seed, block, block_hash FROM draw_periods WHERE tip_id = ? AND period = ?", (tip_id, period)
    ).fetchone()
    previous = connection.execute(
        "SELECT head FROM draw_chunks WHERE tip_id = ? AND period < ? ORDER BY first_row DESC LIMIT 1", (tip_id, period)
    ).fetchone()
    return PeriodLog(
        tip=tip,
        seed=seed and PeriodSeed(tip=tip.tip, period=period, seed=seed[0], block=seed[1], block_hash=seed[2]),
        previous_head=previous and previous[0],
        chunks=tuple(_chunks(connection, "WHERE tip_id = ? AND period = ? ORDER BY first_row", (tip_id, period))),
    )
