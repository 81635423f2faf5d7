"""How far apart two honest pictures of one task may lie, by what made them."""

from enum import StrEnum

import msgspec

from cuckoo.domain.task import RuntimeProfile


class Likeness(StrEnum):
    """What two pictures say about each other. ``UNCLEAR``: honest runs may lie so far apart, and so may cheats."""

    SAME = "same"
    DIFFERENT = "different"
    UNCLEAR = "unclear"


class Tolerance(msgspec.Struct, frozen=True):
    """Bounds of the mean difference of two pictures, of 255: up to ``same`` honest, from ``different`` on not."""

    same: float
    different: float

    def judge(self, mean: float) -> Likeness:
        """Judge a mean difference."""
        if mean <= self.same:
            return Likeness.SAME
        return Likeness.DIFFERENT if mean >= self.different else Likeness.UNCLEAR


EQUAL = Tolerance(0.0, 0.0)
"""Equal runtime profiles: equal pixels, or not the same work."""

ALIKE = Tolerance(0.05, 0.3)
"""Same kind of device and number format: thread counts and batches move single pixels by 1."""

FAR = Tolerance(1.0, 5.0)
"""Other devices or number formats."""


def tolerance(one: RuntimeProfile, other: RuntimeProfile) -> Tolerance:
    """Return what holds between two runtime profiles."""
    if one == other:
        return EQUAL
    return ALIKE if (one.device, one.dtype) == (other.device, other.dtype) else FAR
