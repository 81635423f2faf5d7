"""Which models apps ask for: counted in slices of five minutes over a day, whatever apps write into the field."""

import re
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass, field

from cuckoo.domain.amounts import Wei
from cuckoo.domain.errors import InvalidField
from cuckoo.domain.identifiers import ModelDigest, NodeId
from cuckoo.protocol.market import DemandView, ModelDemand
from cuckoo.protocol.messages import TaskRequest
from cuckoo.runtime.clock import Clock
from cuckoo.scheduler.state import State
from cuckoo.services.dispatch.catalogue import Catalogue

SLICE_S = 300
HOUR_SLICES = 12
DAY_SLICES = 288
UNKNOWN_PER_SLICE = 32
"""Names of models that nobody here knows, in one slice; what comes beyond is only counted."""

MODELS_SHOWN = 500

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._/:+-]{0,95}")
_LIMITS = frozenset({"width_px x height_px", "steps"})


@dataclass(slots=True)
class _Tally:
    """Requests for one model: all, those refused, and the lowest and highest price of those taken in."""

    asked: int = 0
    refused: int = 0
    least_wei: int | None = None
    most_wei: int = 0

    def add(self, other: "_Tally") -> None:
        self.asked += other.asked
        self.refused += other.refused
        if other.least_wei is not None:
            self.least_wei = other.least_wei if self.least_wei is None else min(self.least_wei, other.least_wei)
            self.most_wei = max(self.most_wei, other.most_wei)


@dataclass(slots=True)
class _Slice:
    """Five minutes: by digest what is known here, by name what is not, and how many names were left out."""

    number: int
    known: dict[ModelDigest, _Tally] = field(default_factory=dict)
    unknown: dict[str, _Tally] = field(default_factory=dict)
    others: int = 0


class Demand:
    """Counts in memory: a few dictionaries for each of 288 slices."""

    def __init__(self, clock: Clock) -> None:
        """Begin to count now."""
        self._clock = clock
        self._since = clock.now()
        self._slices: deque[_Slice] = deque(maxlen=DAY_SLICES)

    def taken_in(self, digest: ModelDigest, price_wei: int) -> None:
        """Count a task."""
        self._slice().known.setdefault(digest, _Tally()).add(_Tally(1, 0, price_wei, price_wei))

    def refused(self, request: TaskRequest, fault: InvalidField, catalogue: Catalogue) -> None:
        """Count a request that was refused for its model, or for a size that no miner takes; others tell nothing."""
        now = self._slice()
        if fault.field in _LIMITS:
            tallies: dict[ModelDigest, _Tally] = now.known
            tallies.setdefault(catalogue.find(request.model)[0], _Tally()).add(_Tally(1, 1))
        elif fault.field == "model":
            known = len(now.unknown) < UNKNOWN_PER_SLICE or request.model in now.unknown
            if known and _NAME.fullmatch(request.model):
                now.unknown.setdefault(request.model, _Tally()).add(_Tally(1, 1))
            else:
                now.others += 1

    def _slice(self) -> _Slice:
        number = int(self._clock.now()) // SLICE_S
        if not self._slices or self._slices[-1].number < number:
            self._slices.append(_Slice(number))
        return self._slices[-1]

    def view(self, node: NodeId, catalogue: Catalogue, state: State) -> DemandView:
        """Show the last hour (to five minutes) and day, with who serves what now."""
        now = int(self._clock.now()) // SLICE_S
        slices = [one for one in self._slices if one.number > now - DAY_SLICES]
        hour, day = self._sums(slices, now - HOUR_SLICES), self._sums(slices, now - DAY_SLICES)
        found = [
            ModelDemand(
                model=catalogue.name_of(ModelDigest(key)) if known else key,
                digest=ModelDigest(key) if known else None,
                hour=hour.get((known, key), _NOBODY).asked,
                day=tally.asked,
                refused_hour=hour.get((known, key), _NOBODY).refused,
                refused_day=tally.refused,
                price_least_wei=None if tally.least_wei is None else Wei(tally.least_wei),
                price_most_wei=None if tally.least_wei is None else Wei(tally.most_wei),
                rate_wei=catalogue.rate_wei(ModelDigest(key)) if known else None,
                miners=catalogue.miners_of(ModelDigest(key)) if known else 0,
                waiting=state.waiting(ModelDigest(key)) if known else 0,
            )
            for (known, key), tally in day.items()
        ]
        found.sort(key=lambda one: (-one.day, one.model))
        left_out = sum(one.day for one in found[MODELS_SHOWN:])
        return DemandView(
            coordinator_node=node,
            since=max(self._since, (now - DAY_SLICES + 1) * SLICE_S),
            models=tuple(found[:MODELS_SHOWN]),
            other_names=left_out + sum(one.others for one in slices),
        )

    @staticmethod
    def _sums(slices: list[_Slice], after: int) -> dict[tuple[bool, str], _Tally]:
        sums: dict[tuple[bool, str], _Tally] = {}
        for one in slices:
            if one.number > after:
                for key, tally in _all(one):
                    sums.setdefault(key, _Tally()).add(tally)
        return sums


_NOBODY = _Tally()


def _all(one: _Slice) -> Iterator[tuple[tuple[bool, str], _Tally]]:
    for digest, tally in one.known.items():
        yield (True, digest), tally
    for name, tally in one.unknown.items():
        yield (False, name), tally
