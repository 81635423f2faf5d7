"""How long an attempt takes: overhead + rate x work, fitted for each miner and model; and how far off that was."""

import math

import msgspec

from cuckoo.domain.identifiers import ModelDigest, NodeId

_FORGET = 0.9
"""What each new observation leaves of the older ones."""

_ASSUMED_OVERHEAD_S = 10.0
_ASSUMED_RATE_S = 3e-5
"""Seconds per pixel-step when nothing at all was seen: a Stable Diffusion on a few CPU cores, so that a first deadline
is rather too long than too short."""

_ANCHOR = 0.02
_SPREAD_START = 0.3
_P90 = 1.2815515655446004
_UNIT = 1e6
_LEAST_S = 1e-4
_LEAST_STEP = 0.03
_FIRST_STEP = 0.5


class Eta(msgspec.Struct, frozen=True):
    """Seconds until something is done, with even odds and with nine in ten."""

    p50_s: float
    p90_s: float


class Forecast(msgspec.Struct, frozen=True):
    """What is expected of a task.

    Attributes:
        stage: 0 it runs, 1 it waits behind a running attempt of its miner, from 2 on it waits in the queue, one more
            each time that twice as much is ahead.
        seconds: until it is done, if everything took what it usually takes.
        at: when that was expected, unix seconds.
    """

    stage: int
    seconds: float
    at: float


RUNS, PREFETCHED, QUEUED = 0, 1, 2
_STAGE_MAX = 8


def queue_stage(ahead: float) -> int:
    """Return the stage of a task with so many times its own work ahead of it."""
    return min(_STAGE_MAX, QUEUED + int(math.log2(1 + ahead)))


class _Quantile:
    """Follows a quantile of what it sees: a step up for what lies above, down for what lies below.

    Source: H. Robbins, S. Monro, "A Stochastic Approximation Method", 1951; steps stay large enough to follow a change.
    """

    __slots__ = ("_seen", "_share", "value")

    def __init__(self, share: float, value: float) -> None:
        self.value = value
        self._share = share
        self._seen = 0

    def observe(self, value: float) -> None:
        self._seen += 1
        step = max(_LEAST_STEP, _FIRST_STEP / math.sqrt(self._seen))
        self.value += step * (self._share - (value <= self.value))


class Calibration:
    """Learns for each stage how the time a task takes relates to what was expected, so that p50 and p90 hold.

    Attributes:
        told: forecasts of tasks that are done since.
        within_p50, within_p90: of those, how many were done within what p50 and p90 said then.
    """

    def __init__(self) -> None:
        """Start with nothing seen."""
        self.told = self.within_p50 = self.within_p90 = 0
        self._by_stage: dict[int, tuple[_Quantile, _Quantile]] = {}

    def eta(self, forecast: Forecast) -> Eta:
        """Return p50 and p90 for a forecast."""
        p50, p90 = self._of(forecast.stage)
        return Eta(forecast.seconds * math.exp(p50.value), forecast.seconds * math.exp(max(p50.value, p90.value)))

    def observe(self, forecast: Forecast, told: Eta, seconds: float) -> None:
        """Take in how long a task really took, from its forecast on, of which ``told`` was said."""
        self.told += 1
        self.within_p50 += seconds <= told.p50_s
        self.within_p90 += seconds <= told.p90_s
        off = math.log(max(seconds, _LEAST_S) / max(forecast.seconds, _LEAST_S))
        for quantile in self._of(forecast.stage):
            quantile.observe(off)

    def _of(self, stage: int) -> tuple[_Quantile, _Quantile]:
        found = self._by_stage.get(stage)
        if found is None:
            found = self._by_stage[stage] = _Quantile(0.5, 0.0), _Quantile(0.9, _P90 * _SPREAD_START)
        return found


class Fit:
    """A line through (work, seconds), older points counting less, and how far off it was.

    Neither part becomes negative. While all tasks have the same amount of work the line is not determined: the overhead
    is then held near zero by a weak anchor, and the prediction for that amount of work is right all the same.
    """

    __slots__ = ("_bias", "_n", "_variance", "_x", "_xx", "_xy", "_y", "seen")

    def __init__(self) -> None:
        """Start with nothing seen."""
        self.seen = 0
        self._n = self._x = self._y = self._xx = self._xy = 0.0
        self._bias = 0.0
        self._variance = _SPREAD_START**2

    def observe(self, work: int, seconds: float) -> None:
        """Take in an attempt of ``work`` pixel-steps that took ``seconds``."""
        seconds = max(seconds, 1e-4)
        if self.seen:
            off = math.log(seconds / self.predict(work)) - self._bias
            self._bias += (1 - _FORGET) * off
            self._variance = _FORGET * (self._variance + (1 - _FORGET) * off * off)
        x = work / _UNIT
        self._n = self._n * _FORGET + 1.0
        self._x = self._x * _FORGET + x
        self._y = self._y * _FORGET + seconds
        self._xx = self._xx * _FORGET + x * x
        self._xy = self._xy * _FORGET + x * seconds
        self.seen += 1

    def predict(self, work: int) -> float:
        """Return the expected seconds for ``work`` pixel-steps; raises ValueError when nothing was seen."""
        overhead, rate = self._line()
        return max(1e-4, overhead + rate * work / _UNIT)

    def eta(self, work: int) -> Eta:
        """Return the seconds for ``work`` at p50 and p90; raises ValueError when nothing was seen."""
        p50 = self.predict(work) * math.exp(self._bias)
        return Eta(p50, p50 * math.exp(_P90 * math.sqrt(self._variance)))

    @property
    def speed(self) -> float:
        """What it did lately, in megapixel-steps a second, overhead included; 0 when nothing was seen."""
        return self._x / self._y if self._y else 0.0

    def _line(self) -> tuple[float, float]:
        if not self.seen:
            raise ValueError("predict an attempt: none was seen")
        n, x, y, xx, xy = self._n + _ANCHOR, self._x, self._y, self._xx, self._xy
        spread = n * xx - x * x
        rate = (n * xy - x * y) / spread if spread > 1e-12 else 0.0
        if rate <= 0.0:
            return y / self._n, 0.0
        overhead = (y - rate * x) / n
        if overhead < 0.0:
            return 0.0, xy / xx
        return overhead, rate


class Estimator:
    """The fits of all miners and models, and the deadlines that follow.

    A miner that has not yet done a model gets the fit over all miners; a model that nobody has done an assumption.
    """

    def __init__(self) -> None:
        """Start with nothing seen."""
        self._by_miner: dict[tuple[NodeId, ModelDigest], Fit] = {}
        self._by_model: dict[ModelDigest, Fit] = {}

    def observe(self, node: NodeId, model: ModelDigest, work: int, seconds: float) -> None:
        """Take in what an attempt took, or what one that was cut short would have taken."""
        self._by_miner.setdefault((node, model), Fit()).observe(work, seconds)
        self._by_model.setdefault(model, Fit()).observe(work, seconds)

    def expected_s(self, node: NodeId, model: ModelDigest, work: int) -> float:
        """Return the expected seconds of an attempt."""
        fit = self._by_miner.get((node, model)) or self._by_model.get(model)
        return fit.predict(work) if fit else _ASSUMED_OVERHEAD_S + _ASSUMED_RATE_S * work

    def eta(self, node: NodeId | None, model: ModelDigest, work: int) -> Eta | None:
        """Return the seconds of an attempt (``node`` None: by any miner); None when the model was never done."""
        fit = (node and self._by_miner.get((node, model))) or self._by_model.get(model)
        return fit.eta(work) if fit else None

    def speeds(self) -> dict[NodeId, float]:
        """Return how fast each miner was lately with the model that it is fastest with, in megapixel-steps a second."""
        found: dict[NodeId, float] = {}
        for (node, _), fit in self._by_miner.items():
            found[node] = max(found.get(node, 0.0), fit.speed)
        return found
