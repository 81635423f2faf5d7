"""Variants of a picture and captions for them: what the model sees beside the originals."""

import random
from dataclasses import dataclass

import numpy as np
from PIL import Image, ImageOps

from cuckoo.inference.train.emoji import SIDE_PX, Emoji

PREFIXES = ("", "", "", "a ", "a picture of a ", "an emoji of a ")
EMPTY_SHARE = 0.1
"""Share of captions left empty, so that classifier-free guidance has something to guide away from."""

_HUES = {"red": 0, "orange": 28, "yellow": 50, "green": 115, "blue": 212, "purple": 272, "pink": 325}
_COLOURS = (*_HUES, "brown", "black", "white", "grey", "gray", "light")
_WEIGHTS = {"plain": 0.62, "jittered": 0.13, "recoloured": 0.25}


@dataclass(frozen=True)
class Variant:
    """One picture to learn from.

    Attributes:
        emoji: what it shows.
        picture: RGB, 64 x 64.
        colour: its dominant colour, or "" where there is none to speak of.
        recoloured: the colour is not its own, so the caption must name it.
        weight: how often it is drawn, relative to others of the same emoji.
    """

    emoji: Emoji
    picture: Image.Image
    colour: str
    recoloured: bool
    weight: float


def variants(emoji: Emoji, rng: random.Random) -> list[Variant]:
    """Return the original and its mirror image, three jittered ones, and three with other colours."""
    picture = emoji.picture
    mirrored = ImageOps.mirror(picture)
    hue = dominant_hue(picture)
    colour = "" if hue is None else _name(hue)
    made = {
        "plain": [(picture, colour), (mirrored, colour)],
        "jittered": [(_jittered(rng.choice((picture, mirrored)), rng), colour) for _ in range(3)],
        "recoloured": [],
    }
    if hue is not None:
        others = rng.sample([name for name in _HUES if name != colour], 3)
        made["recoloured"] = [(_rotated(picture, _HUES[other] - hue), other) for other in others]
    return [
        Variant(emoji, drawn, named, kind == "recoloured", _WEIGHTS[kind] / len(pairs))
        for kind, pairs in made.items()
        for drawn, named in pairs
    ]


def caption(variant: Variant, rng: random.Random) -> str:
    """Draw a caption: a name, a short name, keywords, or the colour and the name; sometimes nothing."""
    if rng.random() < EMPTY_SHARE:
        return ""
    emoji = variant.emoji
    if variant.recoloured:
        return f"{rng.choice(PREFIXES)}{variant.colour} {without_colour(emoji.name)}"
    kind = rng.random()
    if kind < 0.15 and variant.colour:
        words = f"{variant.colour} {without_colour(emoji.name)}"
    elif kind < 0.3 and emoji.others:
        words = rng.choice(emoji.others)
    elif kind < 0.4 and emoji.keywords:
        words = rng.choice(emoji.keywords)
    elif kind < 0.5 and emoji.keywords:
        words = f"{emoji.name}, {', '.join(rng.sample(emoji.keywords, min(2, len(emoji.keywords))))}"
    else:
        words = emoji.name
    return f"{rng.choice(PREFIXES)}{words}"


def without_colour(name: str) -> str:
    """Return a name without the colour in front: "red apple" is an apple that happens to be red."""
    words = [word for word in name.split() if word not in _COLOURS]
    return " ".join(words) or name


def dominant_hue(picture: Image.Image) -> float | None:
    """Return the hue in degrees that most coloured pixels have, or None when few are coloured."""
    pixels = np.asarray(picture.convert("HSV"), dtype=np.int32).reshape(-1, 3)
    coloured = pixels[(pixels[:, 1] > 90) & (pixels[:, 2] > 60)]
    seen = int((pixels.min(axis=1) >= 0).sum() - (pixels[:, 1] < 12).sum())
    if len(coloured) < 0.4 * max(1, seen):
        return None
    counts = np.bincount(coloured[:, 0] * 36 // 256, minlength=36)
    return float(counts.argmax() * 10 + 5)


def _name(hue: float) -> str:
    return min(_HUES, key=lambda name: abs((hue - _HUES[name] + 180) % 360 - 180))


def _rotated(picture: Image.Image, degrees: float) -> Image.Image:
    pixels = np.array(picture.convert("HSV"))
    pixels[..., 0] = (pixels[..., 0].astype(np.int32) + round(degrees / 360 * 256)) % 256
    return Image.fromarray(pixels, "HSV").convert("RGB")


def _jittered(picture: Image.Image, rng: random.Random) -> Image.Image:
    """Scale to .75 .. 1, turn by up to 12 degrees, move by up to 8 px, on white."""
    side = round(SIDE_PX * rng.uniform(0.75, 1.0))
    small = picture.resize((side, side), Image.Resampling.LANCZOS)
    small = small.rotate(rng.uniform(-12, 12), Image.Resampling.BICUBIC, fillcolor="white")
    canvas = Image.new("RGB", (SIDE_PX, SIDE_PX), "white")
    left, top = ((SIDE_PX - side) // 2 + rng.randint(-8, 8) for _ in range(2))
    canvas.paste(small, (left, top))
    return canvas
