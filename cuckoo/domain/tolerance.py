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
"""Same kind of device, in float32: thread counts, batches and attention kernels move single pixels by 1."""

FAR = Tolerance(1.0, 5.0)
"""Other devices or number formats, and everything in half precision: there the order of a sum is seen."""

_FULL_PRECISION = "float32"


class Kinship(StrEnum):
    """What two runtime profiles have in common; from this follows how near their pictures have to be."""

    EQUAL = "equal"
    ALIKE = "alike"
    FAR = "far"

    @property
    def bounds(self) -> Tolerance:
        """The bounds that the whole network uses: jurors on other machines have to judge by the same."""
        return {Kinship.EQUAL: EQUAL, Kinship.ALIKE: ALIKE, Kinship.FAR: FAR}[self]


def kinship(one: RuntimeProfile, other: RuntimeProfile) -> Kinship:
    """Compare two runtime profiles."""
    if one == other:
        return Kinship.EQUAL
    alike = one.device == other.device and one.dtype == other.dtype == _FULL_PRECISION
    return Kinship.ALIKE if alike else Kinship.FAR


def tolerance(one: RuntimeProfile, other: RuntimeProfile) -> Tolerance:
    """Return what holds between two runtime profiles."""
    return kinship(one, other).bounds
