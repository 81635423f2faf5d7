"""What was measured, as a whole: bounds, rates, and a plot."""

from collections.abc import Sequence
from pathlib import Path

import msgspec

from cuckoo.domain.errors import ConfigError
from cuckoo.domain.tolerance import Kinship, Tolerance
from cuckoo.services.calibrating.spread import Judged, Pair, choose, judge, upper_bound

_LEAST_SHOWN = 1e-4


class Bounds(msgspec.Struct, frozen=True, kw_only=True):
    """Bounds for two profiles of one kinship, and what they do.

    Attributes:
        chosen: from this measurement; None where no honest pair was of this kinship.
        network: what everybody uses.
        honest: how many honest pairs; ``accused``: how many of them ``network`` takes for other work.
        accused_at_most: the highest rate of that which is plausible, with 95 %.
        cheats, found, passed: how many dishonest pairs, how many are found, how many pass as the same work.
    """

    kinship: Kinship
    honest_largest: float
    chosen: Tolerance | None
    network: Tolerance
    honest: int
    accused: int
    accused_at_most: float
    cheats: int
    found: int
    passed: int


class Calibration(msgspec.Struct, frozen=True, kw_only=True):
    """The outcome of one measurement; ``pairs`` is everything that was counted."""

    model: str
    device: str
    bounds: tuple[Bounds, ...]
    makers: tuple[Judged, ...]
    pairs: tuple[Pair, ...]

    @property
    def holds(self) -> bool:
        """Whether the network's bounds accuse nobody honest here, with room to spare."""
        return all(
            one.accused == 0 and (one.chosen is None or one.chosen.different <= one.network.different)
            for one in self.bounds
        )


def calibration(model: str, device: str, pairs: Sequence[Pair]) -> Calibration:
    """Sum a measurement up."""
    makers = judge(pairs, {kinship: kinship.bounds for kinship in Kinship})
    return Calibration(
        model=model,
        device=device,
        bounds=tuple(
            _bounds(kinship, pairs, makers) for kinship in Kinship if any(p.kinship is kinship for p in pairs)
        ),
        makers=tuple(makers),
        pairs=tuple(pairs),
    )


def _bounds(kinship: Kinship, pairs: Sequence[Pair], makers: Sequence[Judged]) -> Bounds:
    honest = [pair.mean for pair in pairs if pair.honest and pair.kinship is kinship]
    of_kin = [maker for maker in makers if maker.kinship is kinship]
    accused = sum(maker.found for maker in of_kin if maker.honest)
    cheats = [maker for maker in of_kin if not maker.honest]
    measured = choose(honest) if honest and kinship is not Kinship.EQUAL else None
    return Bounds(
        kinship=kinship,
        honest_largest=max(honest, default=0.0),
        chosen=measured,
        network=kinship.bounds,
        honest=len(honest),
        accused=accused,
        accused_at_most=upper_bound(accused, len(honest)) if honest else 1.0,
        cheats=sum(maker.pairs for maker in cheats),
        found=sum(maker.found for maker in cheats),
        passed=sum(maker.passed for maker in cheats),
    )


def plot(found: Calibration, path: Path) -> None:
    """Draw every pair as a dot, by maker, with the network's bounds.

    Raises:
        ConfigError: matplotlib is not installed.
    """
    try:
        import matplotlib as mpl

        mpl.use("Agg")
        from matplotlib import pyplot as plt
    except ImportError:
        raise ConfigError("draw the plot: matplotlib is missing; pip install 'cuckoo[gpu]'") from None
    kinds = [one.kinship for one in found.bounds if one.kinship is not Kinship.EQUAL]
    rows = {kind: [maker for maker in found.makers if maker.kinship is kind] for kind in kinds}
    figure, axes = plt.subplots(
        len(kinds),
        1,
        squeeze=False,
        sharex=True,
        figsize=(9, 1.2 + 0.26 * sum(map(len, rows.values()))),
        height_ratios=[max(1, len(rows[kind])) for kind in kinds],
        layout="constrained",
    )
    for (axis,), kind in zip(axes, kinds, strict=True):
        for height, maker in enumerate(reversed(rows[kind])):
            means = [p.mean for p in found.pairs if p.maker == maker.maker and p.kinship is kind]
            axis.plot(
                [max(_LEAST_SHOWN, mean) for mean in means],
                [height] * len(means),
                "o",
                markersize=4,
                alpha=0.5,
                color="tab:green" if maker.honest else "tab:red",
            )
        bounds = kind.bounds
        axis.axvspan(bounds.same, bounds.different, color="tab:gray", alpha=0.2, lw=0)
        axis.set_yticks(range(len(rows[kind])), [maker.maker for maker in reversed(rows[kind])], fontsize=8)
        axis.set_ylim(-0.7, len(rows[kind]) - 0.3)
        axis.set_title(SENTENCES[kind], fontsize=9, loc="left")
        axis.set_xscale("log")
        axis.grid(axis="x", alpha=0.3)
    figure.supxlabel(
        f"mean difference of the pixels, of 255 (equal pictures at {_LEAST_SHOWN:g}); green: honest, red: not;\n"
        "left of the grey band: the same work, right of it: other work",
        fontsize=9,
    )
    figure.savefig(path, dpi=120)
    plt.close(figure)


SENTENCES = {
    Kinship.EQUAL: "equal runtime profiles: must be equal to the bit",
    Kinship.ALIKE: "same kind of device, float32",
    Kinship.FAR: "other device or number format, or half precision",
}
