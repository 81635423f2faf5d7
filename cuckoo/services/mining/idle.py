"""Answers ``cuckoo miner why-idle`` while the miner runs: it asks its coordinators under the session that it has."""

import asyncio
from pathlib import Path

import msgspec
import structlog

from cuckoo.domain.errors import PeerFault, TransientError
from cuckoo.domain.identifiers import NodeId
from cuckoo.protocol.market import MissedView
from cuckoo.runtime.clock import Clock
from cuckoo.services.mining.connection import Connection
from cuckoo.services.mining.service import Mining
from cuckoo.storage import questions

log = structlog.get_logger(__name__)

ABOUT = "why-idle"
LOOK_S = 0.5
SAME_S = 6.0
"""A coordinator answers again after five seconds; a question that comes sooner gets the answer before."""

_AT_ONCE = 8


class IdleAt(msgspec.Struct, frozen=True, kw_only=True):
    """How it stands with one coordinator.

    Attributes:
        chosen: slots are offered to it now; which ones are is drawn by their stake.
        stopped: why no work is taken from it, "" where some is.
        problem: why it does not say what went elsewhere, "" where it does.
        missed: what it says; None where it says nothing.
    """

    coordinator: NodeId
    origin: str
    signed_in: bool
    chosen: bool
    stopped: str = ""
    problem: str = ""
    missed: MissedView | None = None


class IdleReport(msgspec.Struct, frozen=True, kw_only=True):
    """The answer: at which time, by which miner, about which coordinators, in the order of their ids."""

    at: float
    node: NodeId
    coordinators: tuple[IdleAt, ...]


class WhyIdle:
    """Looks for a question twice a second; a look is one attempt to open a file."""

    def __init__(self, node: NodeId, mining: Mining, folder: Path, *, clock: Clock) -> None:
        """Take who answers, what is asked, and the folder that the question appears in."""
        self._node = node
        self._mining = mining
        self._folder = folder
        self._clock = clock
        self._last: IdleReport | None = None

    async def run(self) -> None:
        """Answer until cancelled."""
        while True:
            await self.look()
            await self._clock.sleep(LOOK_S)

    async def look(self) -> None:
        """Answer the question that waits, if there is one."""
        token = questions.asked(self._folder, ABOUT)
        if token is None:
            return
        if self._last is None or not 0 <= self._clock.now() - self._last.at < SAME_S:
            self._last = await self._report()
        try:
            questions.answer(self._folder, ABOUT, token, msgspec.json.encode(self._last))
        except OSError as error:
            log.warning("question not answered", about=ABOUT, reason=str(error))

    async def _report(self) -> IdleReport:
        limit = asyncio.Semaphore(_AT_ONCE)
        known = sorted(self._mining.connections.items())
        found = await asyncio.gather(*(self._at(node, connection, limit) for node, connection in known))
        return IdleReport(at=self._clock.now(), node=self._node, coordinators=tuple(found))

    async def _at(self, node: NodeId, connection: Connection, limit: asyncio.Semaphore) -> IdleAt:
        problem, missed = "", None
        if connection.signed_in:
            try:
                async with limit:
                    missed = await connection.missed()
            except (TransientError, PeerFault) as error:
                problem = str(error)
        else:
            problem = "this miner has no session with it"
        return IdleAt(
            coordinator=node,
            origin=connection.coordinator.origin,
            signed_in=connection.signed_in,
            chosen=node in self._mining.chosen,
            stopped=connection.debt or self._mining.backing.reason(node),
            problem=problem,
            missed=missed,
        )
