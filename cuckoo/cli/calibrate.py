"""``cuckoo calibrate``: how far apart do honest and dishonest pictures lie, here?"""

import asyncio
from pathlib import Path
from typing import TYPE_CHECKING

import click

from cuckoo.cli.options import examples, json_option
from cuckoo.cli.output import note, print_json, print_table
from cuckoo.domain.errors import ConfigError, InvalidField

if TYPE_CHECKING:
    from cuckoo.inference.models import Model
    from cuckoo.services.calibrating.report import Calibration
    from cuckoo.services.calibrating.spread import Pair

PROMPTS_MAX = 1_000
EXIT_BEYOND = 1


@click.command(
    epilog=examples("cuckoo calibrate", "cuckoo calibrate --prompts 24 --out calibration", "cuckoo calibrate --json")
)
@click.option("--model", "name", default="", metavar="NAME", help="Which model.  [default: the registry's first]")
@click.option(
    "--prompts", type=int, default=6, show_default=True, help="Pictures of each kind, twice: few steps, many."
)
@click.option("--device", default="auto", show_default=True, help="cpu, mps or cuda:N.")
@click.option(
    "--out",
    type=click.Path(path_type=Path, file_okay=False),
    default="calibration",
    show_default=True,
    help="Folder for calibration.json and calibration.png.",
)
@json_option
def calibrate(*, name: str, prompts: int, device: str, out: Path, as_json: bool) -> None:
    """Measure how far honest pictures of one task lie apart, and how far dishonest ones.

    Each picture is made again in the same process and in a new one, with other thread counts, in batches, with another
    attention kernel, in another number format, on other devices where there are any; and by each cheat. The bounds that
    follow are shown beside those by which the whole network judges.

    Exit code 0: the network's bounds accuse nobody honest here; 1: they might. Then serve this model on this machine
    only with its default settings, and tell us.
    """
    if not 1 <= prompts <= PROMPTS_MAX:
        raise InvalidField("--prompts", prompts, f"must be 1 to {PROMPTS_MAX:,}")
    try:
        out.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise ConfigError(f"make folder {out}: {error.strerror}") from None
    found = asyncio.run(_measure(_model(name), prompts, device))
    _save(found, out)
    if as_json:
        import msgspec

        shown = msgspec.to_builtins(found)
        print_json({"holds": found.holds, **{key: shown[key] for key in ("model", "device", "bounds", "makers")}})
    else:
        _show(found)
    note(f"every pair: {out / 'calibration.json'}; plot: {out / 'calibration.png'}")
    if not found.holds:
        raise click.exceptions.Exit(EXIT_BEYOND)


def _model(name: str) -> "Model":
    from cuckoo.inference.models import load_registry

    registry = load_registry()
    if name and name not in registry:
        raise InvalidField("--model", name, f"must be one of {', '.join(registry)}")
    return registry[name] if name else next(iter(registry.values()))


async def _measure(model: "Model", prompts: int, device: str) -> "Calibration":
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    from cuckoo.demo.cheats import IN_THE_PICTURE, Cheat, CheatingPool
    from cuckoo.demo.prompts import PROMPTS
    from cuckoo.domain.task import SIDE_MIN_PX
    from cuckoo.inference.fingerprint import available_cores
    from cuckoo.inference.pool import resolve_devices
    from cuckoo.services.calibrating.measure import Measuring, families
    from cuckoo.services.calibrating.report import calibration

    chosen, *_ = await resolve_devices((device,))
    devices = dict.fromkeys([chosen, "cpu", *await resolve_devices(("auto",))])
    smallest = min(model.defaults.width_px, model.defaults.height_px) <= SIDE_MIN_PX
    cheats = {
        cheat.sentence: (lambda pool, cheat=cheat: CheatingPool(pool, cheat))
        for cheat in IN_THE_PICTURE
        if not (cheat is Cheat.UPSCALED and smallest)
    }
    measuring = Measuring(model, PROMPTS, prompts, families(chosen, list(devices), available_cores()), cheats)
    pairs: list[Pair] = []
    with Progress(
        TextColumn("{task.description}", markup=False),
        BarColumn(30),
        MofNCompleteColumn(),
        TimeRemainingColumn(),
        console=Console(stderr=True),
        transient=True,
    ) as progress:
        bar = progress.add_task("loading", total=measuring.pairs)
        async for pair in measuring.run():
            pairs.append(pair)
            progress.update(bar, advance=1, description=pair.maker)
    return calibration(model.name, chosen, pairs)


def _save(found: "Calibration", out: Path) -> None:
    import msgspec

    from cuckoo.services.calibrating.report import plot

    try:
        (out / "calibration.json").write_bytes(msgspec.json.format(msgspec.json.encode(found), indent=1) + b"\n")
        plot(found, out / "calibration.png")
    except OSError as error:
        raise ConfigError(f"write to {out}: {error.strerror}") from None


def _show(found: "Calibration") -> None:
    from cuckoo.services.calibrating.report import SENTENCES

    numbers = ("pictures", "equal", "mean", "largest", "other work", "unclear", "same work")
    for bounds in found.bounds:
        click.echo(f"\n{found.model} on {found.device} - {SENTENCES[bounds.kinship]}")
        print_table(
            ("made", *numbers),
            [
                (
                    maker.maker if maker.honest else f"cheat: {maker.maker}",
                    *map(str, (maker.pairs, maker.identical)),
                    f"{maker.mean:.4f}",
                    f"{maker.largest_mean:.4f}",
                    *map(str, (maker.found, maker.unclear, maker.passed)),
                )
                for maker in found.makers
                if maker.kinship is bounds.kinship
            ],
            right=numbers,
        )
        if bounds.chosen is not None:
            click.echo(
                f"same work up to {bounds.chosen.same:g}, other work from {bounds.chosen.different:g} on; "
                f"the network: {bounds.network.same:g} and {bounds.network.different:g}"
            )
        click.echo(
            f"by the network's bounds: {bounds.accused} of {bounds.honest} honest pictures accused "
            f"(at most {bounds.accused_at_most:.1%}, with 95 %)"
        )
        if bounds.cheats:
            missed = bounds.passed / bounds.cheats
            click.echo(f"{bounds.found} of {bounds.cheats} of the cheats' found, {bounds.passed} passed ({missed:.1%})")
    click.echo("")
    if found.holds:
        click.echo("The network's bounds hold for this model on this machine.")
    else:
        click.echo("Honest pictures lie further apart here than the network's bounds allow for.")
