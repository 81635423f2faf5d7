"""Writes what a role tells of itself, every few seconds and once more when it stops."""

import os
from collections.abc import Awaitable, Callable
from pathlib import Path

import structlog

from cuckoo.domain.errors import TransientError
from cuckoo.domain.status import CoordinatorState, MinerState, Report, StakerState
from cuckoo.runtime.clock import Clock
from cuckoo.storage.status import write_report

log = structlog.get_logger(__name__)

EVERY_S = 5.0

State = CoordinatorState | MinerState | StakerState


class Reporting:
    """Reports until cancelled."""

    def __init__(
        self,
        folder: Path,
        network: str,
        read: Callable[[], Awaitable[State]],
        *,
        clock: Clock,
        every_s: float = EVERY_S,
    ) -> None:
        """Take what is written and where.

        Args:
            folder: the role's own, locked by this process.
            network: its name.
            read: gives the present state; may raise TransientError to leave it as it was.
            clock: time.
            every_s: seconds between two reports.
        """
        self._folder = folder
        self._network = network
        self._read = read
        self._clock = clock
        self._every_s = every_s
        self._started_at = clock.now()
        self._state: State | None = None
        self._failing = False

    async def run(self) -> None:
        """Write, wait; at the end write that it is the end."""
        try:
            while True:
                await self.report()
                await self._clock.sleep(self._every_s)
        finally:
            self._write(stopped=True)

    async def report(self) -> None:
        """Read the state and write it once."""
        try:
            self._state = await self._read()
        except TransientError as error:
            log.debug("state not read", reason=str(error))
        self._write(stopped=False)

    def _write(self, *, stopped: bool) -> None:
        if self._state is None:
            return
        report = Report(
            network=self._network,
            pid=os.getpid(),
            started_at=self._started_at,
            at=self._clock.now(),
            every_s=self._every_s,
            stopped=stopped,
            state=self._state,
        )
        try:
            write_report(self._folder, report)
            self._failing = False
        except OSError as error:
            if not self._failing:
                log.warning("cuckoo status can not be served", folder=str(self._folder), reason=str(error))
            self._failing = True
