"""``python -m cuckoo.inference.train --out DIR``: downloads the data, trains both stages, writes model and card."""

import math
import random
import time
from pathlib import Path

import click
import torch
from rich.console import Console

from cuckoo.domain.errors import ConfigError
from cuckoo.inference.train import autoencoder, card, denoiser, emoji, networks
from cuckoo.inference.train.budget import Budget, bars
from cuckoo.inference.train.checkpoint import Checkpoint
from cuckoo.inference.train.variants import caption, variants

SAMPLES = 551_000
_AUTOENCODER_SHARE = 0.15
_SEED = 16


@click.command(epilog="Example: python -m cuckoo.inference.train --out my-model --minutes 120")
@click.option("--out", required=True, type=click.Path(file_okay=False, path_type=Path), help="Folder to write to.")
@click.option(
    "--minutes", type=click.FloatRange(min=0, min_open=True), help="Time for both stages. No limit by default."
)
@click.option(
    "--samples", type=click.IntRange(min=denoiser.BATCH), default=SAMPLES, show_default=True, help="Pictures to see."
)
@click.option(
    "--from",
    "base",
    type=click.Path(exists=True, file_okay=False, path_type=Path),
    help="Continue from the weights in this folder; its autoencoder and vocabulary stay as they are.",
)
@click.option(
    "--data", type=click.Path(file_okay=False, path_type=Path), help="Folder of the npm packages. Default: OUT/.data"
)
def main(out: Path, minutes: float | None, samples: int, base: Path | None, data: Path | None) -> None:
    """Train a small text-to-image model of emoji, from nothing but three npm packages.

    About two hours on two cores, minutes on a GPU. Ctrl-C at any time: the same command goes on from there.
    """
    console = Console(stderr=True)
    data = data or out / ".data"
    try:
        emoji.fetch(data)
    except ConfigError as error:
        raise click.ClickException(str(error)) from error
    everything = emoji.load(data)
    known = emoji.chosen(everything)
    device = "cuda" if torch.cuda.is_available() else "cpu"
    console.print(f"{len(everything)} pictures, {len(known)} of them to be drawn by name, on {device}")
    torch.manual_seed(_SEED)
    rng = random.Random(_SEED)
    lessons = [variant for one in known for variant in variants(one, rng)]
    parts = networks.load(base) if base else networks.fresh(_captions(everything, rng))
    parts = parts.to(device)
    checkpoint = Checkpoint(out / ".checkpoint")
    seconds = minutes * 60 if minutes else math.inf
    started = time.monotonic()
    with bars() as progress:
        psnr, first = 0.0, Budget(steps=1)
        if not base:
            steps = min(autoencoder.STEPS, samples // denoiser.BATCH)
            first = Budget(steps=steps, seconds=seconds * _AUTOENCODER_SHARE)
            pictures = autoencoder.as_tensor([one.picture for one in everything]).to(device)
            psnr = autoencoder.train(parts, pictures, first, checkpoint, progress, _SEED)
        shown = autoencoder.as_tensor([variant.picture for variant in lessons]).to(device)
        second = Budget(steps=samples // denoiser.BATCH, seconds=seconds * (1 if base else 1 - _AUTOENCODER_SHARE))
        latents = autoencoder.encode(parts.vae, shown)
        loss = denoiser.train(parts, denoiser.Lessons(lessons, latents), second, checkpoint, progress, _SEED)
    networks.save(parts, out)
    sitting = card.Sitting(
        what=f"Trained on {len(known)} of {len(everything)} pictures on {device}, "
        + ("on top of the weights above." if base else "from nothing."),
        autoencoder_steps=0 if base else first.done_steps,
        psnr_db=round(psnr, 1),
        samples=second.done_steps * denoiser.BATCH,
        steps=second.done_steps,
        minutes=round((time.monotonic() - started) / 60, 2),
        loss=round(loss, 4),
    )
    card.write(out, [*(card.read_history(base) if base else []), sitting])
    checkpoint.remove()
    console.print(f"{out}: loss {loss:.3f}", soft_wrap=True)
    console.print(f"Look at it: python -m cuckoo.inference.train.sheet {out} --out sheet.png", soft_wrap=True)


def _captions(everything: list[emoji.Emoji], rng: random.Random) -> list[str]:
    """Return captions of every kind, from which the vocabulary is made."""
    made = [variant for one in everything for variant in variants(one, rng)]
    words = [word for one in everything for word in (one.name, *one.others, *one.keywords)]
    return words + [caption(variant, rng) for variant in made]


if __name__ == "__main__":
    main()
