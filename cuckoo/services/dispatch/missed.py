"""Why a miner did not get the tasks of the last hour: worked out from the draws when it asks."""

import asyncio
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from itertools import chain, islice
from typing import Any

from cuckoo.domain.errors import LimitReached
from cuckoo.domain.identifiers import ModelDigest, NodeId, TaskId
from cuckoo.protocol.market import MissedTask, MissedView
from cuckoo.runtime.clock import Clock
from cuckoo.scheduler.eligibility import Exclusion
from cuckoo.scheduler.events import Demand
from cuckoo.scheduler.presence import Presence, presences
from cuckoo.services.dispatch.catalogue import Catalogue
from cuckoo.services.dispatch.engine import Engine
from cuckoo.services.dispatch.miners import MinerDesk
from cuckoo.services.dispatch.recent import HOUR_S, Chunk

LOST, TAKEN_BACK = "lost", "taken_back"
TASKS_SHOWN = 1_000
WAITING_LOOKED_AT = 1_000
"""Waiting tasks of each model that are looked at."""

AGAIN_S = 5.0
_SOON = (Exclusion.NO_POLL, Exclusion.SLOTS_TAKEN)
"""A task that waits may still come to a miner that is busy, or between two polls."""


@dataclass(frozen=True)
class _Asking:
    """The miner that asks, as it stands now.

    Attributes:
        serves: models that it offers, or offered last.
        since: when it signed in; nothing before that is said of its polls.
    """

    node: NodeId
    serves: frozenset[ModelDigest]
    weight_wei: int
    since: float


class Missed:
    """Answers one miner at a time, in a thread: an hour of draws can be many rows."""

    def __init__(self, engine: Engine, miners: MinerDesk, catalogue: Catalogue, clock: Clock) -> None:
        """Take what is read."""
        self._engine = engine
        self._miners = miners
        self._catalogue = catalogue
        self._clock = clock
        self._one = asyncio.Lock()
        self._asked: dict[NodeId, float] = {}

    async def view(self, node: NodeId) -> MissedView:
        """Show which tasks a signed-in miner did not get, with the reason of the last draw or look.

        Raises:
            LimitReached: it asked a moment ago.
            NotSignedIn: its session is over.
        """
        wait_s = self._asked.get(node, -AGAIN_S) + AGAIN_S - self._clock.monotonic()
        if wait_s > 0:
            raise LimitReached("work out why tasks went to others: you asked a moment ago", wait_s)
        since = self._miners.since(node)
        self._asked[node] = self._clock.monotonic()
        async with self._one:
            state, recent, now = self._engine.state, self._engine.recent, self._clock.now()
            miner = state.miners[node]
            asking = _Asking(node, frozenset(miner.capabilities), miner.weight_wei, since)
            chunks, taken_back, waiting = recent.chunks(), list(recent.taken_back), list(self._waiting(node, now))
            start = now - HOUR_S
            found, won = await asyncio.to_thread(drawn_for_others, chunks, asking, start, self._catalogue)
        for at, task_id, demand in taken_back:
            if at >= start:
                found[task_id] = _missed(task_id, demand, at, self._catalogue, reason=TAKEN_BACK)
        found |= {one.task_id: one for one in waiting if one.task_id not in won}
        newest = sorted(found.values(), key=lambda one: one.at, reverse=True)
        return MissedView(
            coordinator_node=self._engine.coordinator.node_id,
            since=max(start, recent.since or now),
            won=len(won),
            counts=dict(Counter(one.reason for one in newest).most_common()),
            tasks=tuple(newest[:TASKS_SHOWN]),
        )

    def _waiting(self, node: NodeId, now: float) -> Iterator[MissedTask]:
        """Yield the tasks that wait now and can not go to this miner, with the reason."""
        state = self._engine.state
        for pool in state.pools.values():
            for task in islice(pool.queue, WAITING_LOOKED_AT):
                reason = state.why_not(node, task.demand)
                if node in task.demand.avoid:
                    reason = Exclusion.PARTY
                elif reason is None and node in task.tried:
                    reason = Exclusion.TRIED
                if reason is not None and reason not in _SOON:
                    yield _missed(task.task_id, task.demand, now, self._catalogue, reason=code(reason))


def code(reason: Exclusion) -> str:
    """Return the name of a reason on the wire."""
    return reason.name.lower()


def drawn_for_others(
    chunks: Sequence[Chunk], asking: _Asking, start: float, catalogue: Catalogue
) -> tuple[dict[TaskId, MissedTask], set[TaskId]]:
    """Go through the draws of the last hour.

    Returns:
        The tasks that others won, by their last draw since ``start``, and those that the asking miner won.
    """
    rows = chain.from_iterable(chunk.rows for chunk in chunks)
    draws = chain.from_iterable(chunk.drawn for chunk in chunks)
    found: dict[TaskId, MissedTask] = {}
    won: set[TaskId] = set()
    for (draw, demand), stood in zip(draws, presences(rows, asking.node, weight_wei=asking.weight_wei), strict=True):
        if draw.assigned_at < start:
            continue
        if draw.node == asking.node:
            won.add(draw.task_id)
            continue
        reason = _reason(stood, demand, draw.assigned_at, asking)
        found[draw.task_id] = _missed(
            draw.task_id,
            demand,
            draw.assigned_at,
            catalogue,
            reason=reason,
            odds=stood.weight_wei / draw.total_wei if reason == LOST else 0.0,
            winner=draw.node,
            winner_odds=draw.weight_wei / draw.total_wei,
            candidates=draw.candidates,
        )
    return {task_id: one for task_id, one in found.items() if task_id not in won}, won


def _reason(stood: Presence, demand: Demand, at: float, asking: _Asking) -> str:
    if stood.active:
        return LOST if stood.reason is None else code(stood.reason)
    if demand.model not in asking.serves:
        return code(Exclusion.MODEL_NOT_LOADED)
    if stood.reason is not None:
        return code(stood.reason)
    return code(Exclusion.NOT_SIGNED_IN if at < asking.since else Exclusion.NO_POLL)


def _missed(
    task_id: TaskId, demand: Demand, at: float, catalogue: Catalogue, *, reason: str, **draw: Any
) -> MissedTask:
    return MissedTask(
        task_id=task_id,
        at=at,
        model=catalogue.name_of(demand.model),
        pixels=demand.pixels,
        steps=demand.steps,
        pictures=demand.pictures,
        price_wei=demand.price_wei,
        reason=reason,
        **draw,
    )
