"""``cuckoo miner doctor``: what this machine's devices draw, how fast, with how much memory; and what does not work."""

import asyncio
import itertools
import time
from typing import TYPE_CHECKING, Any

import click

from cuckoo.cli.downloads import download_bar
from cuckoo.cli.options import Place, examples, json_option, place_options
from cuckoo.cli.output import note, plain, print_json, print_table
from cuckoo.domain.settings import MinerSettings

if TYPE_CHECKING:
    from collections.abc import Sequence

    from cuckoo.inference.models import Model
    from cuckoo.inference.pool import PoolOptions
    from cuckoo.services.doctor.findings import Findings, ModelFinding

EXIT_SICK = 1
_GIB, _MIB = 2**30, 2**20


@click.command(epilog=examples("cuckoo miner doctor", "cuckoo miner doctor --device cuda:0 --model emoji-64 --json"))
@click.option(
    "--device", "devices", multiple=True, metavar="NAME", help="cuda:0, cpu, ...; repeat it.  [default: the miner's]"
)
@click.option(
    "--model", "models", multiple=True, metavar="NAME", help="A model; repeat it.  [default: those that it serves]"
)
@click.option("--threads", type=int, help="CPU threads of a worker on the CPU.  [default: the miner's]")
@json_option
@place_options
def doctor(
    place: Place, devices: tuple[str, ...], models: tuple[str, ...], threads: int | None, *, as_json: bool
) -> None:
    """Draw with each model at a few sizes up to its largest, in a process of its own, and measure memory and time.

    What is found is kept in the data folder: from its next start on the miner offers only what passed, each model up to
    the largest picture that did. Run it before the first start, and again after a change of device, driver, torch or
    models; while the miner runs they take memory from each other. Needs no key and no network.

    Exit code 0: all passed; 1: something did not, and the last lines say what to do.
    """
    from cuckoo.inference.hub import fetch_all
    from cuckoo.inference.pool import PoolOptions, resolve_devices
    from cuckoo.roles.miner import MODELS_FOLDER, find_models
    from cuckoo.services.doctor.findings import write_findings

    flags = {"devices": devices or None, "models": models or None, "threads": threads}
    settings = place.settings(MinerSettings, "miner", **flags)
    wanted = find_models(settings.models)
    _warn_of_running(place)

    async def run() -> "Findings":
        found = await resolve_devices(settings.devices)
        options = PoolOptions(
            threads=settings.threads,
            cpu_children=sum(device == "cpu" for device in found),
            digest_cache=str(place.data_dir / "digests.json"),
        )
        here = await fetch_all(wanted, place.data_dir / MODELS_FOLDER, download_bar() or (lambda _: None))
        return await _examined(here, found, options)

    findings = asyncio.run(run())
    file = write_findings(place.data_dir, findings)
    if as_json:
        print_json({**_json(findings), "file": str(file)})
    else:
        _print(findings)
        for line in advice(findings):
            note(plain(line))
        note(f"kept in {file}; the miner goes by it from its next start on")
    if not findings.healthy:
        raise click.exceptions.Exit(EXIT_SICK)


def _warn_of_running(place: Place) -> None:
    from cuckoo.storage.lock import holder

    for folder in sorted(place.data_dir.glob("*/miner-*")):
        if holder(folder) is not None:
            note(f"{folder.name} is running: it takes memory and time from what is measured here; better stop it first")


async def _examined(models: "Sequence[Model]", devices: "Sequence[str]", options: "PoolOptions") -> "Findings":
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

    from cuckoo.inference.host import version_of
    from cuckoo.services.doctor.examination import examine, pieces
    from cuckoo.services.doctor.findings import Findings

    with Progress(
        TextColumn("{task.description}", markup=False),
        BarColumn(30),
        MofNCompleteColumn(),
        TimeElapsedColumn(),
        console=Console(stderr=True),
        transient=True,
    ) as progress:
        bar, begun = progress.add_task("asking the devices", total=pieces(models, devices)), itertools.count()
        hosts, found = await examine(
            models, devices, options, lambda what: progress.update(bar, completed=next(begun), description=what)
        )
    return Findings(at=time.time(), torch=version_of("torch"), hosts=tuple(hosts), models=tuple(found))


def _memory(count: int) -> str:
    if not count:
        return "not known"
    return f"{count / _GIB:,.1f} GiB" if count >= _GIB else f"{count / _MIB:,.0f} MiB"


def _print(findings: "Findings") -> None:
    columns = ("device", "name", "driver", "memory", "free", "torch", "diffusers")
    hosts = [
        (
            host.device,
            host.name,
            host.driver,
            _memory(host.memory_bytes),
            _memory(host.free_bytes),
            host.torch,
            host.diffusers,
        )
        for host in findings.hosts
    ]
    print_table(columns, hosts, right=("memory", "free"))
    numbers = ("size", "peak memory", "a step", "a picture")
    print_table(
        ("model", "device", *numbers, "result"), [row for one in findings.models for row in _rows(one)], right=numbers
    )


def _rows(one: "ModelFinding") -> list[tuple[str, ...]]:
    if not one.sizes:
        return [(one.model, one.device, "", "", "", "", "not loaded")]
    return [
        (
            one.model,
            one.device,
            f"{size.width_px} x {size.height_px}",
            _memory(size.peak_bytes) if size.peak_bytes else "",
            _time(size.step_s),
            _time(size.picture_s),
            "failed" if size.problem else "passed",
        )
        for size in one.sizes
    ]


def _time(seconds: float) -> str:
    if not seconds:
        return ""
    return f"{seconds:,.2f} s" if seconds >= 1 else f"{seconds * 1_000:,.1f} ms"


def advice(findings: "Findings") -> list[str]:
    """Say plainly what does not work, and what to do next."""
    lines = [f"{host.device}: {host.hint}" for host in findings.hosts if host.hint]
    for one in findings.models:
        if not one.problem:
            continue
        lines.append(f"{one.model} on {one.device}: {one.problem}")
        if not one.sizes:
            lines.append("  it is not offered; mend what the line above says, then run this again")
        elif one.max_pixels:
            lines.append(
                f"  it is offered up to {one.max_pixels:,} pixels; for larger pictures end what else uses the device, "
                "or take one with more memory, then run this again"
            )
        else:
            lines.append(
                "  it is not offered; end what else uses the device, serve fewer models on it, or take one with more "
                "memory, then run this again"
            )
    if not lines:
        lines.append("all passed")
    return lines


def _json(findings: "Findings") -> dict[str, Any]:
    import msgspec

    shown: dict[str, Any] = msgspec.to_builtins(findings)
    return {"healthy": findings.healthy, **shown, "advice": advice(findings)}
