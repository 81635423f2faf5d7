"""A miner checks its own luck: every closed period of its coordinators is replayed, and its wins against its odds.

What counts as won is what arrived here: a coordinator that logs whom the seed drew, and gives the task to another,
leaves its log in order. And what arrived here must stand in the log as it was signed.
"""

from collections.abc import Awaitable, Callable, Mapping

import msgspec
import structlog

from cuckoo.domain.errors import CuckooError, NotFound
from cuckoo.domain.identifiers import NodeId
from cuckoo.protocol.receipts import Assignment
from cuckoo.protocol.views import DrawLogView, DrawsView
from cuckoo.runtime.clock import Clock
from cuckoo.scheduler.fairness import Share, allowed_sigmas
from cuckoo.scheduler.replay import share_of
from cuckoo.services.verifying.checks import State, verdict
from cuckoo.services.verifying.draws import DrawChain, check_draws, check_log, draw_count

log = structlog.get_logger(__name__)

CLOSED_AFTER_PERIODS = 3
"""Logs are public when the period after theirs has ended; clocks differ a little."""

BEHIND_MAX = 24
"""So many periods it goes back at most, for a coordinator that was away."""


class Arrived(msgspec.Struct, frozen=True):
    """An assignment that arrived here, and in which draw period it did."""

    assignment: Assignment
    period: int


class ShareWatch:
    """Looks once a draw period, until cancelled.

    Attributes:
        shares: of this miner, by coordinator, over the periods looked at.
        warned: of whom it has said that the share is no chance.
    """

    def __init__(
        self,
        node: NodeId,
        coordinators: Callable[[], Mapping[NodeId, str]],
        read: Callable[[str, int], Awaitable[DrawsView]],
        chain: DrawChain,
        *,
        period_s: int,
        clock: Clock,
    ) -> None:
        """Take what it looks at.

        Args:
            node: this miner.
            coordinators: gives the origins of those that it is signed in to.
            read: gives the draws of a closed period at an origin, or raises NotFound.
            chain: what coordinators can not change.
            period_s: length of a draw period, in seconds.
            clock: time.
        """
        self._node = node
        self._coordinators = coordinators
        self._read = read
        self._chain = chain
        self._period_s = period_s
        self._clock = clock
        self._begins = self._now() + 1
        self._next: dict[NodeId, int] = {}
        self._arrived: dict[NodeId, dict[tuple[bytes, int, bytes], Arrived]] = {}
        self.warned: set[NodeId] = set()
        self.shares: dict[NodeId, Share] = {}

    def _now(self) -> int:
        return int(self._clock.now()) // self._period_s

    def arrived(self, assignment: Assignment) -> None:
        """Note an assignment that was signed for this miner, whatever becomes of it."""
        draw = (assignment.seed_tip, assignment.draw_index, assignment.draw_head)
        self._arrived.setdefault(assignment.coordinator_node, {})[draw] = Arrived(assignment, self._now())

    async def run(self) -> None:
        """Look, wait."""
        while True:
            await self.look()
            await self._clock.sleep(self._period_s)

    async def look(self) -> None:
        """Replay what was closed since the last look, from the first whole period of this process on."""
        last = self._now() - CLOSED_AFTER_PERIODS
        for coordinator, origin in self._coordinators().items():
            first = self._next.setdefault(coordinator, max(last, self._begins))
            for period in range(max(first, last - BEHIND_MAX), last + 1):
                try:
                    draws = await self._read(origin, period)
                    await self._take(coordinator, draws)
                except NotFound:
                    pass  # nothing was drawn there in that period, or it says so
                except CuckooError as error:
                    log.debug("draws not checked yet", coordinator=coordinator, period=period, reason=str(error))
                    break
                self._next[coordinator] = period + 1
            self._forget(coordinator, max(self._next[coordinator], last - BEHIND_MAX))

    async def _take(self, coordinator: NodeId, draws: DrawsView) -> None:
        for view in draws.logs:
            checks, mine = await check_log(view, self._chain), list[Assignment]()
            if verdict(checks) is not State.WRONG:
                mine = self._of(coordinator, view)
                checks += check_draws(view, mine)
            wrong = [one for one in checks if one.state is State.WRONG]
            for one in wrong:
                log.error(
                    "a coordinator's draws are not what its seed decides: cuckoo verify shows it to everybody",
                    coordinator=coordinator,
                    period=draws.period,
                    check=one.name,
                    detail=one.detail,
                )
            if not wrong:
                share = share_of(view.rows, self._node, {one.draw_index for one in mine})
                if lost := share_of(view.rows, self._node).won - share.won:
                    log.warning(
                        "draws that this miner won brought it no work",
                        coordinator=coordinator,
                        period=draws.period,
                        lost=lost,
                        arrived=share.won,
                    )
                self.add(coordinator, share)

    def _of(self, coordinator: NodeId, view: DrawLogView) -> list[Assignment]:
        """Take out what arrived of the draws of a log."""
        arrived, count = self._arrived.get(coordinator, {}), draw_count(view)
        draws = [draw for draw in arrived if draw[0] == view.tip and 0 <= draw[1] - view.first_draw < count]
        return [arrived.pop(draw).assignment for draw in draws]

    def _forget(self, coordinator: NodeId, done: int) -> None:
        """Name what arrived before period ``done`` and stands in no log that was shown; forget it."""
        arrived = self._arrived.get(coordinator, {})
        late = {draw: one for draw, one in arrived.items() if one.period < done - 1}
        for draw in late:
            del arrived[draw]
        missing = [one.assignment for one in late.values() if one.period >= self._begins + CLOSED_AFTER_PERIODS]
        if missing:
            log.error(
                "a coordinator shows no draw that replays for assignments that it signed",
                coordinator=coordinator,
                assignments=len(missing),
                task=missing[0].task_id,
                draw=missing[0].draw_index,
                tip=missing[0].seed_tip.hex(),
            )

    def add(self, coordinator: NodeId, more: Share) -> None:
        """Add what a period brought, and warn when the whole is no chance any more; once until it is again."""
        before = self.shares.get(coordinator, Share(self._node, 0, 0.0, 0.0))
        share = self.shares[coordinator] = Share(
            self._node, before.won + more.won, before.expected + more.expected, before.variance + more.variance
        )
        least, most = share.chance_range(allowed_sigmas(1))
        if least <= share.won <= most:
            self.warned.discard(coordinator)
        elif coordinator not in self.warned:
            self.warned.add(coordinator)
            log.warning(
                "this miner is given work less or more often than chance explains",
                coordinator=coordinator,
                won=share.won,
                expected=round(share.expected, 1),
                chance_allows=f"{least} to {most}",
            )
