"""``cuckoo generate``: ask a coordinator for pictures, watch them being drawn, check the receipt."""

import asyncio
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from cuckoo.cli.apikeys import find_api_key
from cuckoo.cli.options import examples, json_option
from cuckoo.cli.output import note, print_json
from cuckoo.domain.errors import ConfigError, CoordinatorUnreachable

if TYPE_CHECKING:
    from collections.abc import Mapping

    from rich.progress import Progress

    from cuckoo.domain.identifiers import NodeId
    from cuckoo.protocol.messages import TaskRequest
    from cuckoo.protocol.views import TaskEvent
    from cuckoo.client.asking import Listener
    from cuckoo.client.pictures import Pictures


@click.command(
    epilog=examples(
        'cuckoo generate "a red apple" -o apple.png',
        'cuckoo generate "a blue heart" -n 4 --seed 7 -o heart.png --receipt heart.json',
    )
)
@click.argument("prompt")
@click.option(
    "-o",
    "--output",
    type=click.Path(path_type=Path, dir_okay=False),
    default="picture.png",
    show_default=True,
    help="Where the picture goes; several get numbers.",
)
@click.option("-n", "--pictures", type=int, default=1, show_default=True, help="How many, 1 to 8.")
@click.option("--seed", type=int, help="Same seed, same picture.  [default: drawn at random]")
@click.option("--steps", type=int, help="Denoising steps.  [default: the model's]")
@click.option("--guidance", type=float, help="How closely to follow the prompt.  [default: the model's]")
@click.option("--width", "width_px", type=int, help="Width in px.  [default: the model's]")
@click.option("--height", "height_px", type=int, help="Height in px.  [default: the model's]")
@click.option("--negative", "negative_prompt", default="", metavar="TEXT", help="What should not be in it.")
@click.option("--scheduler", default="", metavar="NAME", help="diffusers' name of one.  [default: the model's]")
@click.option("--model", default="", metavar="NAME", help="Which model.  [default: the coordinator's first]")
@click.option(
    "--receipt",
    "receipt_file",
    type=click.Path(path_type=Path, dir_okay=False),
    help="Save the signed receipt: who made the pictures, and how.",
)
@click.option(
    "--coordinator",
    "origin",
    metavar="URL",
    default="http://127.0.0.1:8080",
    envvar="CUCKOO_COORDINATOR",
    show_default=True,
    help="Whom to ask.  [env: CUCKOO_COORDINATOR]",
)
@click.option(
    "--api-key",
    metavar="FILE",
    help="File with the coordinator's API key, or env:NAME.  [env: the key itself in CUCKOO_API_KEY]",
)
@json_option
def generate(
    *, output: Path, receipt_file: Path | None, origin: str, api_key: str | None, as_json: bool, **wishes: Any
) -> None:
    """Ask a coordinator for pictures of PROMPT.

    Shows which miner was drawn and with which odds, and checks that its signed receipt fits the pictures. Ctrl-C
    cancels the task, so that nobody draws for nothing.
    """
    from cuckoo.protocol.messages import TaskRequest, encode_json

    targets = _targets(output, wishes["pictures"])
    began = time.monotonic()
    made, miner = asyncio.run(_generate(origin, find_api_key(api_key), TaskRequest(**wishes)))
    seconds = time.monotonic() - began
    for target, picture in zip(targets, made.pictures, strict=True):
        _write(target, picture.png)
    if receipt_file is not None:
        _write(receipt_file, encode_json(made.receipt) + b"\n")
    attempt, seed = made.attempt, made.task.parameters.seed
    if as_json:
        print_json(
            {
                "task": made.task.task_id,
                "prompt": made.task.parameters.prompt,
                "seed": seed,
                "miner": attempt.miner_node,
                "miner_name": miner,
                "odds": attempt.odds,
                "pictures": [str(target) for target in targets],
                "receipt": None if receipt_file is None else str(receipt_file),
                "seconds": round(seconds, 3),
            }
        )
        return
    for target in targets:
        click.echo(str(target))
    device = made.receipt.receipt.profile.device
    note(f"drawn by {miner} (node {attempt.miner_node}, odds {attempt.odds:.0%}) on {device} in {seconds:.1f} s")
    note(f"seed {seed}; its signed receipt fits what came")


def _targets(output: Path, pictures: int) -> list[Path]:
    """Name the files: apple.png, or apple-1.png, apple-2.png, ..."""
    if not output.parent.is_dir():
        raise ConfigError(f"write {output}: there is no folder {output.parent}")
    if pictures <= 1:
        return [output]
    return [output.with_stem(f"{output.stem}-{number}") for number in range(1, pictures + 1)]


def _write(path: Path, content: bytes) -> None:
    try:
        path.write_bytes(content)
    except OSError as error:
        raise ConfigError(f"write {path}: {error.strerror}") from None


async def _generate(origin: str, api_key: str | None, request: "TaskRequest") -> tuple["Pictures", str]:
    """Ask, with a bar on standard error; returns what was made and the miner's name."""
    from cuckoo.client.app import AppClient
    from cuckoo.client.asking import ask, miner_names

    async with AppClient(origin, api_key=api_key) as client:
        try:
            miners = (await client.miners()).miners
        except CoordinatorUnreachable as error:
            advice = "start one with cuckoo coordinator, or name another with --coordinator URL"
            raise CoordinatorUnreachable(f"{error}\n{advice}") from error
        names = miner_names(miners)
        with _progress() as progress:
            made = await ask(client, request, _listener(progress, request.prompt, names))
        return made, names[made.attempt.miner_node]


def _progress() -> "Progress":
    from rich.console import Console
    from rich.progress import BarColumn, Progress, TextColumn

    return Progress(
        TextColumn("{task.description}", markup=False),
        BarColumn(30),
        TextColumn("{task.fields[doing]}", markup=False),
        console=Console(stderr=True),
        transient=True,
    )


def _listener(progress: "Progress", prompt: str, names: "Mapping[NodeId, str]") -> "Listener":
    """Move a bar as the task's events come in."""
    from cuckoo.protocol.views import EventKind

    bar = progress.add_task(prompt, total=None, doing="queued")
    drawn = ""

    def listen(event: "TaskEvent") -> None:
        nonlocal drawn
        if event.kind is EventKind.QUEUED:
            place = f"number {event.position} in the queue" if event.position else "queued"
            progress.update(bar, doing=f"{place}: {event.reason}" if event.reason else place)
        elif event.kind is EventKind.DRAWN and event.attempt is not None:
            node = event.attempt.miner_node
            drawn = f"{names.get(node, f'node {node}')}, odds {event.attempt.odds:.0%}"
            progress.update(bar, completed=0, doing=drawn)
        elif event.kind is EventKind.PROGRESS:
            doing = f"step {event.step} of {event.steps}, {drawn}"
            progress.update(bar, completed=event.step, total=event.steps, doing=doing)

    return listen
