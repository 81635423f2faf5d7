"""Blobs by content hash, in append-only segment files outside the database.

One segment an hour, ``blobs/<hour>.seg``; a record is ``magic 4 | length u32 | sha256 32 | data``, big-endian. The index
(hash -> segment, offset, length) and the length of each segment stand in the database and become durable in the same group
commit, after the segments that it touched were synced. What a segment holds beyond its committed length was never
acknowledged and is cut off at the next start.
"""

import sqlite3
import time
from collections.abc import Callable
from pathlib import Path

from cuckoo.storage.writer import Command, Reader, Writer


def blob_hash(data: bytes) -> bytes:
    """Hash a blob: sha256, 32 bytes."""
    raise NotImplementedError


class Blobs:
    """The blobs of one data directory."""

    def __init__(self, writer: Writer, reader: Reader, *, clock: Callable[[], float] = time.time) -> None:
        """Bind to an open writer and reader.

        Args:
            clock: unix seconds, decides the segment of the hour.
        """
        raise NotImplementedError

    async def recover(self) -> None:
        """Cut torn tails, remove segments that no commit knows; call it once, before anything else.

        Raises:
            FatalError: a segment is shorter than what was committed, or gone.
        """
        raise NotImplementedError

    def put(self, data: bytes) -> Command[bytes]:
        """Store a blob; the command returns its hash.

        Content that is there already is written again only when it lies in an older segment (so that it lives on as long
        as the newest use of it); content that was taken down is not stored again.
        """
        raise NotImplementedError

    async def get(self, digest: bytes) -> bytes:
        """Read a blob.

        Raises:
            NotFound: there is no such blob, it was dropped with its segment, or it was taken down.
            FatalError: the bytes on disk do not have this hash.
        """
        raise NotImplementedError

    async def drop_before(self, at: float) -> int:
        """Delete whole segments whose hour ended before ``at`` (unix seconds); returns how many."""
        raise NotImplementedError

    def takedown(self, digest: bytes) -> Command[int]:
        """Overwrite a blob with zeros wherever it lies, for good; the command returns how many copies there were."""
        raise NotImplementedError
