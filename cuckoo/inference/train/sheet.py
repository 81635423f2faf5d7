"""The fixed sheet: 24 prompts whose pictures show what a model can draw. ``python -m cuckoo.inference.train.sheet``.

The pictures are numbered, not named, so that somebody who has not seen the prompts can be asked what they show; the
questions, with ten names each, are printed too.
"""

import random
from pathlib import Path

import click
import torch
from diffusers import StableDiffusionPipeline
from diffusers.utils import logging
from PIL import Image, ImageDraw, ImageFont

PROMPTS = (
    "red apple",
    "cat face",
    "rocket",
    "sunflower",
    "pizza",
    "panda",
    "automobile",
    "blue heart",
    "penguin",
    "banana",
    "castle",
    "butterfly",
    "ice cream",
    "frog",
    "bicycle",
    "Christmas tree",
    "robot",
    "octopus",
    "hamburger",
    "airplane",
    "lion",
    "star",
    "strawberry",
    "ghost",
)
SEED = 2026
STEPS = 16
GUIDANCE = 4.0
NAMES_EACH = 10
_COLUMNS, _CELL_PX, _NUMBER_PX, _SIDE_PX = 6, 128, 22, 64


def draw(folder: Path) -> Image.Image:
    """Draw the sheet with plain diffusers on the CPU; picture n starts from seed SEED + n."""
    logging.disable_progress_bar()
    pipe = StableDiffusionPipeline.from_pretrained(folder, dtype=torch.float32, local_files_only=True)
    pipe.set_progress_bar_config(disable=True)
    rows = -(-len(PROMPTS) // _COLUMNS)
    sheet = Image.new("RGB", (_COLUMNS * _CELL_PX, rows * (_CELL_PX + _NUMBER_PX)), "white")
    pen = ImageDraw.Draw(sheet)
    for number, prompt in enumerate(PROMPTS, 1):
        picture = pipe(
            prompt,
            height=_SIDE_PX,
            width=_SIDE_PX,
            num_inference_steps=STEPS,
            guidance_scale=GUIDANCE,
            generator=torch.Generator("cpu").manual_seed(SEED + number),
        ).images[0]
        row, column = divmod(number - 1, _COLUMNS)
        left, top = column * _CELL_PX, row * (_CELL_PX + _NUMBER_PX)
        pen.text((left + 6, top + 3), str(number), fill="black", font=ImageFont.load_default(15))
        sheet.paste(picture.resize((_CELL_PX, _CELL_PX), Image.Resampling.LANCZOS), (left, top + _NUMBER_PX))
    return sheet


def questions() -> list[list[str]]:
    """Return ten names for each picture, the right one among them, in an order that says nothing."""
    rng = random.Random(SEED)
    asked = []
    for prompt in PROMPTS:
        names = [prompt, *rng.sample([other for other in PROMPTS if other != prompt], NAMES_EACH - 1)]
        asked.append(rng.sample(names, len(names)))
    return asked


@click.command(help="Draw the sheet of 24 prompts, and print the questions for a reader who has not seen them.")
@click.argument("model", type=click.Path(exists=True, file_okay=False, path_type=Path))
@click.option("--out", required=True, type=click.Path(dir_okay=False, path_type=Path), help="PNG to write.")
def main(model: Path, out: Path) -> None:
    """Draw the sheet of a model folder."""
    draw(model).save(out, optimize=True)
    for number, names in enumerate(questions(), 1):
        click.echo(f"{number}. {', '.join(names)}")


if __name__ == "__main__":
    main()
