"""A miner checks its own luck: every closed period of its coordinators is replayed, and its wins against its odds."""

from collections.abc import Awaitable, Callable, Mapping

import structlog

from cuckoo.domain.errors import CuckooError, NotFound
from cuckoo.domain.identifiers import NodeId
from cuckoo.protocol.views import DrawsView
from cuckoo.runtime.clock import Clock
from cuckoo.scheduler.fairness import Share, allowed_sigmas
from cuckoo.scheduler.replay import share_of
from cuckoo.services.verifying.checks import State
from cuckoo.services.verifying.draws import DrawChain, check_log

log = structlog.get_logger(__name__)

CLOSED_AFTER_PERIODS = 3
"""Logs are public when the period after theirs has ended; clocks differ a little."""

BEHIND_MAX = 24
"""So many periods it goes back at most, for a coordinator that was away."""


class ShareWatch:
    """Looks once a draw period, until cancelled."""

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
        self._next: dict[NodeId, int] = {}
        self._told: set[NodeId] = set()
        self.shares: dict[NodeId, Share] = {}

    async def run(self) -> None:
        """Look, wait."""
        while True:
            await self.look()
            await self._clock.sleep(self._period_s)

    async def look(self) -> None:
        """Replay what was closed since the last look."""
        last = int(self._clock.now()) // self._period_s - CLOSED_AFTER_PERIODS
        for coordinator, origin in self._coordinators().items():
            first = self._next.setdefault(coordinator, last)
            for period in range(max(first, last - BEHIND_MAX), last + 1):
                try:
                    draws = await self._read(origin, period)
                    await self._take(coordinator, draws)
                except NotFound:
                    pass  # nothing was drawn there in that period
                except CuckooError as error:
                    log.debug("draws not checked yet", coordinator=coordinator, period=period, reason=str(error))
                    break
                self._next[coordinator] = period + 1

    async def _take(self, coordinator: NodeId, draws: DrawsView) -> None:
        for view in draws.logs:
            wrong = [one for one in await check_log(view, self._chain) if one.state is State.WRONG]
            for one in wrong:
                log.error(
                    "a coordinator's draws are not what its seed decides: cuckoo verify period shows it to everybody",
                    coordinator=coordinator,
                    period=draws.period,
                    check=one.name,
                    detail=one.detail,
                )
            if not wrong:
                self._add(coordinator, share_of(view.rows, self._node))

    def _add(self, coordinator: NodeId, more: Share) -> None:
        before = self.shares.get(coordinator, Share(self._node, 0, 0.0, 0.0))
        share = self.shares[coordinator] = Share(
            self._node, before.won + more.won, before.expected + more.expected, before.variance + more.variance
        )
        least, most = share.chance_range(allowed_sigmas(1))
        if least <= share.won <= most:
            self._told.discard(coordinator)
        elif coordinator not in self._told:
            self._told.add(coordinator)
            log.warning(
                "this miner is drawn less or more often than chance explains",
                coordinator=coordinator,
                won=share.won,
                expected=round(share.expected, 1),
                chance_allows=f"{least} to {most}",
            )
