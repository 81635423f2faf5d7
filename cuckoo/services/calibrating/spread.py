"""From measured differences to bounds, and what these bounds would have done. No I/O."""

import math
from collections.abc import Sequence

import msgspec

from cuckoo.domain.tolerance import ALIKE, Kinship, Likeness, Tolerance

USUAL = 0.95
DIFFERENT_MARGIN = 3.0
_SMALLEST = 1e-6
_UNLIKELY = 0.05
LEAST = ALIKE
"""Never below these, whatever was measured: honest machines that were not at hand may lie further apart."""


class Pair(msgspec.Struct, frozen=True, kw_only=True):
    """A picture, made once more.

    Attributes:
        maker: how the other one was made, in words.
        honest: whether that was the work that was asked for.
        kinship: of the two runtime profiles.
        identical: whether all pixels are equal.
        mean, largest: difference of the pixels, of 255.
    """

    maker: str
    honest: bool
    kinship: Kinship
    identical: bool
    mean: float
    largest: int

    def judged(self, bounds: Tolerance) -> Likeness:
        """Judge the pair as an audit does."""
        if self.kinship is Kinship.EQUAL or self.identical:
            return Likeness.SAME if self.identical else Likeness.DIFFERENT
        return bounds.judge(self.mean)


class Judged(msgspec.Struct, frozen=True, kw_only=True):
    """What bounds make of one maker's pictures.

    Attributes:
        pairs: how many.
        identical: how many with equal pixels.
        mean: of the mean differences.
        largest_mean: the largest of them.
        found, unclear, passed: how many were judged different, neither, the same.
    """

    maker: str
    honest: bool
    kinship: Kinship
    pairs: int
    identical: int
    mean: float
    largest_mean: float
    found: int
    unclear: int
    passed: int

    @property
    def at_most(self) -> float:
        """The highest rate of ``found`` that these pairs leave plausible, with 95 %."""
        return upper_bound(self.found, self.pairs)


def choose(honest: Sequence[float]) -> Tolerance:
    """Choose bounds from the mean differences of honest pictures.

    Where 19 of 20 honest pictures lie, pictures are taken for the same work; from three times the largest difference of
    honest ones on, for other work. What lies between convicts nobody: somebody else is asked.

    Args:
        honest: at least one.
    """
    usual = sorted(honest)[math.ceil(USUAL * len(honest)) - 1]
    different = max(LEAST.different, round(DIFFERENT_MARGIN * _round_up(max(honest)), 6))
    return Tolerance(max(LEAST.same, _round_up(usual)), different)


def judge(pairs: Sequence[Pair], bounds: dict[Kinship, Tolerance]) -> list[Judged]:
    """Judge all pairs, by maker and kinship, in the order of their first appearance."""
    groups: dict[tuple[str, Kinship], list[Pair]] = {}
    for pair in pairs:
        groups.setdefault((pair.maker, pair.kinship), []).append(pair)
    return [_judged(group, bounds[kinship]) for (_, kinship), group in groups.items()]


def upper_bound(events: int, trials: int) -> float:
    """Return the largest rate at which so few of ``trials`` still happen with 5 % (Clopper and Pearson, one-sided)."""
    low, high = events / trials, 1.0
    for _ in range(60):
        middle = (low + high) / 2
        low, high = (middle, high) if _at_most(events, trials, middle) > _UNLIKELY else (low, middle)
    return high


def _at_most(events: int, trials: int, rate: float) -> float:
    """Return the probability of no more than so many events, in logarithms: the factors do not fit a float."""
    if not 0 < rate < 1:
        return float(rate <= 0 or events >= trials)
    logs = [
        math.lgamma(trials + 1)
        - math.lgamma(k + 1)
        - math.lgamma(trials - k + 1)
        + k * math.log(rate)
        + (trials - k) * math.log1p(-rate)
        for k in range(events + 1)
    ]
    return math.fsum(map(math.exp, logs))


def _judged(group: Sequence[Pair], bounds: Tolerance) -> Judged:
    verdicts = [pair.judged(bounds) for pair in group]
    means = [pair.mean for pair in group]
    return Judged(
        maker=group[0].maker,
        honest=group[0].honest,
        kinship=group[0].kinship,
        pairs=len(group),
        identical=sum(pair.identical for pair in group),
        mean=sum(means) / len(means),
        largest_mean=max(means),
        found=verdicts.count(Likeness.DIFFERENT),
        unclear=verdicts.count(Likeness.UNCLEAR),
        passed=verdicts.count(Likeness.SAME),
    )


def _round_up(value: float) -> float:
    """Round up to two significant digits."""
    if value < _SMALLEST:
        return 0.0
    digits = 1 - math.floor(math.log10(value))
    return math.ceil(value * 10.0**digits - 1e-9) / 10.0**digits
