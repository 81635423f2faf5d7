"""The draw log of a coordinator, its seed tips and the seeds of its periods."""

from cuckoo.storage.records import LogChunk, PeriodLog, PeriodSeed, SeedTip
from cuckoo.storage.writer import Command, Reader


class DrawLog:
    """Append-only rows per seed tip, with the running head."""

    def __init__(self, reader: Reader) -> None:
        """Read through ``reader``."""
        self._reader = reader

    def record_tip(self, tip: SeedTip) -> Command[None]:
        """Store a tip and its secret (before it is committed on chain); storing it again updates block and period."""
        raise NotImplementedError

    def record_period(self, seed: PeriodSeed) -> Command[None]:
        """Store the seed of a period.

        Raises (from the command):
            Conflict: this tip and period have another seed already.
            NotFound: no such tip.
        """
        raise NotImplementedError

    def append(self, chunk: LogChunk) -> Command[None]:
        """Append rows; in the same transaction as the attempt that signs their head.

        Raises (from the command):
            Conflict: ``first_row`` is not the next row of this tip, or the period lies before its last one.
        """
        raise NotImplementedError

    async def tips(self) -> list[SeedTip]:
        """Read all tips, oldest first."""
        raise NotImplementedError

    async def head(self, tip: bytes) -> tuple[int, bytes | None]:
        """Read how many rows a tip's log has, and its head (None without a row)."""
        raise NotImplementedError

    async def period(self, period: int) -> list[PeriodLog]:
        """Read everything of a period: one element per tip that served it, oldest tip first."""
        raise NotImplementedError

    async def chunks(self, tip: bytes, *, first_row: int = 0) -> list[LogChunk]:
        """Read a tip's chunks that hold rows from ``first_row`` on, in order."""
        raise NotImplementedError

    def forget_before(self, period: int) -> Command[int]:
        """Delete log and seeds of periods below ``period``; the command returns how many chunks went."""
        raise NotImplementedError
