"""What a task costs: exact integers, the same on both sides.

Prices are set per megapixel-step: one denoising step of a picture with 10^6 pixels. The price of an attempt is the rate
times its work, rounded down to a wei, so that equal rates give equal prices.
"""

from collections.abc import Mapping

import msgspec

from cuckoo.domain.amounts import Wei

MEGAPIXEL = 10**6


class Rates(msgspec.Struct, frozen=True):
    """What a megapixel-step costs, in wei: ``default``, and by model where it differs."""

    default: Wei = Wei(0)
    by_model: Mapping[str, Wei] = {}

    def of(self, model: str) -> Wei:
        """Return the rate of a model, by its name or digest."""
        return self.by_model.get(model, self.default)

    @property
    def free(self) -> bool:
        """Whether nothing has a price."""
        return not self.default and not any(self.by_model.values())


def price_of(work: int, rate_wei: int) -> Wei:
    """Return the price of ``work`` pixel-steps at ``rate_wei`` for a megapixel-step, in wei."""
    return Wei(work * rate_wei // MEGAPIXEL)


def part_of(price_wei: int, step: int, steps: int) -> Wei:
    """Return what ``step`` of ``steps`` steps of an attempt earn of its price, rounded down, in wei."""
    return Wei(price_wei * step // steps) if steps else Wei(0)
