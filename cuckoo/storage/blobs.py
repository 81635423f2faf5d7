"""Blobs by content hash, in append-only segment files outside the database.

One segment an hour. The index (hash -> segment, offset, length) and the length of each segment stand in the database
and become durable in the same group commit, after the segments that it touched were synced. What a segment holds beyond
its committed length was never acknowledged, and is cut off at the next start.
"""

import hashlib
import sqlite3
import time
from collections.abc import Callable

import structlog

from cuckoo.domain.errors import NotFound, TakenDown
from cuckoo.storage.segments import Segments
from cuckoo.storage.writer import Command, Reader, Writer

SEGMENT_S = 3_600
"""One segment serves this many seconds."""

_DROP_ROWS = 2_000
_log = structlog.get_logger(__name__)


def blob_hash(data: bytes) -> bytes:
    """Hash a blob: sha256, 32 bytes."""
    return hashlib.sha256(data).digest()


class Blobs:
    """The blobs of one data directory."""

    def __init__(self, writer: Writer, reader: Reader, *, clock: Callable[[], float] = time.time) -> None:
        """Bind to an open writer and reader.

        Args:
            writer: syncs the segments before each of its commits.
            reader: reads index and segments.
            clock: unix seconds, decides the segment of the hour.
        """
        self._writer = writer
        self._reader = reader
        self._clock = clock
        self._segments = Segments(writer.directory / "blobs")
        writer.before_commit(self._segments.sync)

    async def recover(self) -> int:
        """Cut torn tails and remove segments that no commit knows; call it once, before anything else.

        Returns:
            How many blobs are gone because a segment is shorter than what was committed: 0 unless the disk lost data or
            files were deleted by hand. Reading one of them raises NotFound.
        """
        return await self._writer.execute(self._recover)

    def put(self, data: bytes) -> Command[bytes]:
        """Store a blob; the command returns its hash.

        Content that is there already is written again only when it lies in an older segment (so that it lives on as
        long as the newest use of it); content that was taken down is not stored again.
        """

        def run(connection: sqlite3.Connection) -> bytes:
            digest = blob_hash(data)
            segment = int(self._clock()) // SEGMENT_S
            stored = connection.execute(
                "SELECT 1 FROM blobs WHERE hash = ?1 AND segment >= ?2 "
                "UNION ALL SELECT 1 FROM blob_takedowns WHERE hash = ?1",
                (digest, segment),
            ).fetchone()
            if stored is None:
                self._append(connection, segment, digest, data)
            return digest

        return run

    def _append(self, connection: sqlite3.Connection, segment: int, digest: bytes, data: bytes) -> None:
        offset, end = self._segments.append(segment, digest, data)
        connection.execute(
            "INSERT INTO blob_segments VALUES (?, ?) ON CONFLICT DO UPDATE SET length = excluded.length",
            (segment, end),
        )
        connection.execute("INSERT INTO blobs VALUES (?, ?, ?, ?)", (digest, segment, offset, len(data)))

    def keep(self, digest: bytes, at: float) -> Command[bool]:
        """Copy a blob forward where ``drop_before(at)`` would take it away, also one that is withheld.

        Returns (from the command):
            Whether it was copied: False also where it is not here.
        """

        def run(connection: sqlite3.Connection) -> bool:
            row = _newest(connection, digest)
            if row is None or row[0] > _last_before(at):
                return False
            data = self._segments.read(*row)
            if blob_hash(data) != digest:
                return False
            self._append(connection, int(self._clock()) // SEGMENT_S, digest, data)
            return True

        return run

    async def get(self, digest: bytes, *, names: tuple[bytes, ...] = (), withheld: bool = False) -> bytes:
        """Read a blob.

        Args:
            digest: its hash.
            names: other hashes that its content has; it is not read where one of them was taken down.
            withheld: read it also where it was taken down, while it is still there.

        Raises:
            TakenDown: it was taken down.
            NotFound: there is no such blob, it was dropped with its segment, or the disk damaged it.
        """

        def read(connection: sqlite3.Connection) -> bytes | None:
            if not withheld and any(_is_down(connection, one) for one in (digest, *names)):
                raise TakenDown(f"read blob {digest.hex()}: the operator has taken it down")
            return self._read(connection, digest)

        data = await self._reader.execute(read)
        if data is None and withheld and await self.is_down(digest):
            raise TakenDown(f"read blob {digest.hex()}: the operator has taken it down")
        if data is None:
            raise NotFound(f"read blob {digest.hex()}: it was never here, or its time of keeping is over")
        if blob_hash(data) != digest:
            _log.error("blob damaged on disk", blob=digest.hex())
            raise NotFound(f"read blob {digest.hex()}: it is damaged on disk")
        return data

    async def drop_before(self, at: float) -> int:
        """Delete whole segments whose hour ended before ``at`` (unix seconds); returns how many.

        A blob that must live on is kept first: see ``keep``.
        """
        last = _last_before(at)
        old = await self._reader.execute(
            lambda connection: connection.execute(
                "SELECT segment FROM blob_segments WHERE segment <= ? ORDER BY segment", (last,)
            ).fetchall()
        )
        for (segment,) in old:
            while await self._writer.execute(self._forget_some(segment)):
                pass
            await self._writer.execute(self._remove(segment))
        return len(old)

    async def is_down(self, digest: bytes) -> bool:
        """Tell whether a hash was taken down."""
        return await self._reader.execute(lambda connection: _is_down(connection, digest))

    async def withheld(self) -> list[bytes]:
        """Read the hashes that were taken down and whose content is still there."""
        rows = await self._reader.execute(
            lambda connection: connection.execute(
                "SELECT DISTINCT hash FROM blobs WHERE hash IN (SELECT hash FROM blob_takedowns)"
            ).fetchall()
        )
        return [digest for (digest,) in rows]

    def withhold(self, digest: bytes) -> Command[None]:
        """Take a hash down for good: it is neither read nor stored again; what is there is left to ``takedown``."""

        def run(connection: sqlite3.Connection) -> None:
            connection.execute(
                "INSERT INTO blob_takedowns VALUES (?, ?) ON CONFLICT DO NOTHING", (digest, self._clock())
            )

        return run

    def takedown(self, digest: bytes) -> Command[int]:
        """Overwrite a blob with zeros wherever it lies, for good; the command returns how many copies there were."""

        def run(connection: sqlite3.Connection) -> int:
            copies = connection.execute(
                "SELECT segment, offset, length FROM blobs WHERE hash = ?", (digest,)
            ).fetchall()
            for segment, offset, length in copies:
                self._segments.zero(segment, offset, length)
            connection.execute("DELETE FROM blobs WHERE hash = ?", (digest,))
            self.withhold(digest)(connection)
            return len(copies)

        return run

    def close(self) -> None:
        """Close the segment files; call it after the writer has ended."""
        self._segments.close()

    def _recover(self, connection: sqlite3.Connection) -> int:
        committed = dict(connection.execute("SELECT segment, length FROM blob_segments").fetchall())
        for segment in self._segments.numbers():
            if segment not in committed:
                self._segments.remove(segment)
        lost = 0
        for segment, length in committed.items():
            size = self._segments.size(segment)
            if size > length:
                self._segments.truncate(segment, length)
            elif size < length:
                gone = connection.execute(
                    "DELETE FROM blobs WHERE segment = ? AND offset + length > ?", (segment, size)
                ).rowcount
                connection.execute("UPDATE blob_segments SET length = ? WHERE segment = ?", (size, segment))
                _log.error(
                    "blob segment is shorter than what was committed",
                    file=str(self._segments.path(segment)),
                    committed_bytes=length,
                    found_bytes=size,
                    blobs_lost=gone,
                )
                lost += gone
        return lost

    def _read(self, connection: sqlite3.Connection, digest: bytes) -> bytes | None:
        row = _newest(connection, digest)
        return None if row is None else self._segments.read(*row)

    def _forget_some(self, segment: int) -> Command[int]:
        """Make a command that deletes a part of a segment's index, so that no commit is held up for long."""
        return lambda connection: (
            connection.execute(
                "DELETE FROM blobs WHERE segment = ?1 AND hash IN (SELECT hash FROM blobs WHERE segment = ?1 LIMIT ?2)",
                (segment, _DROP_ROWS),
            ).rowcount
        )

    def _remove(self, segment: int) -> Command[None]:
        """Make a command that lets go of a segment, unless something was put into it in the meantime.

        A crash between the unlink and the commit leaves an empty segment row, which recovery brings to length 0.
        """

        def run(connection: sqlite3.Connection) -> None:
            if connection.execute("SELECT 1 FROM blobs WHERE segment = ? LIMIT 1", (segment,)).fetchone() is None:
                connection.execute("DELETE FROM blob_segments WHERE segment = ?", (segment,))
                self._segments.remove(segment)

        return run


def _is_down(connection: sqlite3.Connection, digest: bytes) -> bool:
    return connection.execute("SELECT 1 FROM blob_takedowns WHERE hash = ?", (digest,)).fetchone() is not None


def _last_before(at: float) -> int:
    """Return the last segment whose hour ended before a unix time."""
    return int(at) // SEGMENT_S - 1


def _newest(connection: sqlite3.Connection, digest: bytes) -> tuple[int, int, int] | None:
    """Find the newest copy of a blob: segment, offset, length."""
    row: tuple[int, int, int] | None = connection.execute(
        "SELECT segment, offset, length FROM blobs WHERE hash = ? ORDER BY segment DESC LIMIT 1", (digest,)
    ).fetchone()
    return row
