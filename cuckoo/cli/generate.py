"""``cuckoo generate``: ask a coordinator for pictures, watch them being drawn, check the receipts, save them."""

import asyncio
import os
import secrets
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from cuckoo.cli.apikeys import find_api_key
from cuckoo.cli.options import Place, examples, json_option, place_options
from cuckoo.cli.output import note, print_json
from cuckoo.domain.errors import ConfigError

if TYPE_CHECKING:
    from cuckoo.cli.fetching import Saved
    from cuckoo.protocol.messages import LoraWish


@click.command(
    epilog=examples(
        'cuckoo generate "a red apple" -o apple.png',
        'cuckoo generate "a blue heart" -n 4 --seed 7 -o heart.png --receipt heart.json',
        "cuckoo generate --prompts animals.txt -o animal.png",
        'cuckoo generate "a green apple" --source apple.png --strength 0.6 -o green.png',
        'cuckoo generate "a worm" --source apple.png --mask hole.png -o worm.png',
        "cuckoo generate --resume",
    )
)
@click.argument("prompt", required=False)
@click.option(
    "--prompts",
    "prompts_file",
    type=click.Path(allow_dash=True),
    metavar="FILE",
    help="A prompt a line, at most 100; - reads standard input. In place of PROMPT.",
)
@click.option(
    "-o",
    "--output",
    type=click.Path(path_type=Path, dir_okay=False),
    default="picture.png",
    show_default=True,
    help="Where the picture goes; several get numbers, and nothing is overwritten.",
)
@click.option("-n", "--pictures", type=int, default=1, show_default=True, help="How many of each prompt, 1 to 8.")
@click.option("--seed", type=int, help="Same seed, same picture.  [default: drawn at random]")
@click.option("--steps", type=int, help="Denoising steps.  [default: the model's]")
@click.option("--guidance", type=float, help="How closely to follow the prompt.  [default: the model's]")
@click.option("--width", "width_px", type=int, help="Width in px.  [default: the model's]")
@click.option("--height", "height_px", type=int, help="Height in px.  [default: the model's]")
@click.option("--negative", "negative_prompt", default="", metavar="TEXT", help="What should not be in it.")
@click.option("--scheduler", default="", metavar="NAME", help="diffusers' name of one.  [default: the model's]")
@click.option(
    "--source",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="A picture to start from (PNG, JPEG, WebP); it is cut to the picture's aspect.",
)
@click.option(
    "--mask",
    type=click.Path(path_type=Path),
    metavar="FILE",
    help="A picture as large as the source: white is drawn anew, black stays.",
)
@click.option(
    "--strength", type=float, help="How much of the source is replaced, up to 1.  [default: 0.8; with --mask 1]"
)
@click.option(
    "--lora",
    "loras",
    multiple=True,
    metavar="NAME[:WEIGHT]",
    help="A LoRA of the model, by name or digest; repeat it for more.  [weight: 1]",
)
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
@click.option("--no-preview", is_flag=True, help="Show no pictures in the terminal (kitty's and iTerm2's can).")
@click.option("--resume", is_flag=True, help="Get what was asked for before and did not arrive.")
@json_option
@place_options
def generate(
    *,
    place: Place,
    prompt: str | None,
    prompts_file: str | None,
    output: Path,
    receipt_file: Path | None,
    origin: str,
    api_key: str | None,
    no_preview: bool,
    resume: bool,
    as_json: bool,
    source: Path | None,
    mask: Path | None,
    loras: tuple[str, ...],
    **wishes: Any,
) -> None:
    """Ask a coordinator for pictures of PROMPT.

    Shows which miner was drawn and with which odds, and checks that its signed receipt fits the pictures; the receipt
    lies inside each PNG file. Ctrl-C leaves the tasks running, --resume gets their pictures; Ctrl-C twice cancels them.
    """
    from cuckoo.cli.bars import Bars
    from cuckoo.cli.fetching import Fetching
    from cuckoo.cli.inline import protocol_of
    from cuckoo.cli.orders import Order, Orders
    from cuckoo.client.asynchronous import encoded_file
    from cuckoo.protocol.messages import TaskRequest

    prompts = _prompts(prompt, prompts_file, resume=resume)
    orders = Orders(place.data_dir / "orders")
    if resume:
        wanted = orders.all()
        if not wanted:
            note("nothing is left to get")
    else:
        for path in (output, receipt_file):
            if path is not None and not path.parent.is_dir():
                raise ConfigError(f"write {path}: there is no folder {path.parent}")
        wishes |= {name: encoded_file(file) for name, file in (("source", source), ("mask", mask)) if file is not None}
        wishes["loras"] = tuple(map(_lora, loras))
        order = Order(
            key=secrets.token_hex(16),
            origin=origin,
            requests=tuple(TaskRequest(prompt=one, **wishes) for one in prompts),
            output=str(output.absolute()),
            receipt_file="" if receipt_file is None else str(receipt_file.absolute()),
        )
        wanted = [order]
    bars = Bars(None if no_preview else protocol_of(os.environ))
    got = asyncio.run(Fetching(orders, bars, find_api_key(api_key), note).run(wanted))
    if not as_json:
        for one in got.saved:
            _tell(one)
    elif resume or prompts_file is not None:
        print_json({"tasks": [_as_json(one) for one in got.saved]})
    elif got.saved:
        print_json(_as_json(got.saved[0]))
    if got.interrupted:
        raise click.Abort
    for error in got.errors[1:]:
        note(str(error))
    if got.errors:
        raise got.errors[0]


def _lora(text: str) -> "LoraWish":
    from cuckoo.protocol.messages import LoraWish

    name, colon, weight = text.partition(":")
    try:
        return LoraWish(lora=name, weight=float(weight) if colon else 1.0)
    except ValueError:
        raise click.UsageError(f"--lora {text}: {weight!r} is no number; write NAME or NAME:0.8") from None


def _prompts(prompt: str | None, file: str | None, *, resume: bool) -> list[str]:
    """Read what is to be drawn; raises UsageError, or ConfigError for a file that holds too few or too many."""
    from cuckoo.protocol.messages import BATCH_MAX

    given = [
        name for name, one in (("PROMPT", prompt), ("--prompts", file), ("--resume", resume or None)) if one is not None
    ]
    if len(given) != 1:
        raise click.UsageError(
            "Give one of PROMPT, --prompts FILE and --resume" + (f", not {' and '.join(given)}." if given else ".")
        )
    if prompt is not None:
        return [prompt]
    if file is None:
        return []
    try:
        with click.open_file(file, encoding="utf-8") as stream:
            prompts = [line.strip() for line in stream if line.strip()]
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"read prompts from {file}: {error}") from None
    if not 0 < len(prompts) <= BATCH_MAX:
        raise ConfigError(f"read prompts from {file}: it has {len(prompts):,}, it must have 1 to {BATCH_MAX}")
    return prompts


def _as_json(one: "Saved") -> dict[str, Any]:
    made = one.made
    return {
        "task": made.task.task_id,
        "prompt": made.task.parameters.prompt,
        "seed": made.task.parameters.seed,
        "miner": made.attempt.miner_node,
        "miner_name": made.miner,
        "odds": made.attempt.odds,
        "pictures": [_shown(file) for file in one.files],
        "receipt": None if one.receipt_file is None else _shown(one.receipt_file),
        "seconds": one.seconds,
    }


def _tell(one: "Saved") -> None:
    made = one.made
    for file in one.files:
        click.echo(_shown(file))
    device, odds = made.receipt.receipt.profile.device, f"{made.attempt.odds:.0%}"
    note(f"drawn by {made.miner} (node {made.attempt.miner_node}, odds {odds}) on {device} in {one.seconds:.1f} s")
    note(f"seed {made.task.parameters.seed}; its signed receipt fits what came")


def _shown(file: Path) -> str:
    """Write a path as short as it can be from here."""
    here = Path.cwd()
    return str(file.relative_to(here) if file.is_relative_to(here) else file)
