"""One picture with all pictures: each above its prompt and the miner that made it."""

from collections.abc import Sequence
from pathlib import Path

import msgspec
from PIL import Image, ImageDraw, ImageFont

TILE_PX = 128
MARGIN_PX = 12
CAPTION_PX = 38
PAPER = (255, 255, 255)
INK = (34, 34, 34)
GREY = (125, 125, 125)


class Tile(msgspec.Struct, frozen=True):
    """A picture file, what was asked for, and who drew it."""

    file: Path
    prompt: str
    miner: str


def contact_sheet(tiles: Sequence[Tile], target: Path, *, columns: int = 8) -> Path:
    """Draw all tiles into one PNG.

    Args:
        tiles: at least one; pictures of any size, shown in squares of 128 px.
        target: where the PNG goes.
        columns: tiles a row.

    Returns:
        ``target``.
    """
    columns = min(columns, len(tiles))
    rows = -(-len(tiles) // columns)
    width = MARGIN_PX + columns * (TILE_PX + MARGIN_PX)
    height = MARGIN_PX + rows * (TILE_PX + CAPTION_PX + MARGIN_PX)
    sheet = Image.new("RGB", (width, height), PAPER)
    draw = ImageDraw.Draw(sheet)
    title, small = ImageFont.load_default(13), ImageFont.load_default(11)
    for index, tile in enumerate(tiles):
        row, column = divmod(index, columns)
        left = MARGIN_PX + column * (TILE_PX + MARGIN_PX)
        top = MARGIN_PX + row * (TILE_PX + CAPTION_PX + MARGIN_PX)
        with Image.open(tile.file) as picture:
            fitted = picture.convert("RGB").resize((TILE_PX, TILE_PX), Image.Resampling.BICUBIC)
        sheet.paste(fitted, (left, top))
        middle = left + TILE_PX / 2
        draw.text((middle, top + TILE_PX + 4), _fit(tile.prompt, title), INK, title, anchor="ma")
        draw.text((middle, top + TILE_PX + 21), _fit(tile.miner, small), GREY, small, anchor="ma")
    target.parent.mkdir(parents=True, exist_ok=True)
    sheet.save(target)
    return target


def _fit(text: str, font: "ImageFont.FreeTypeFont | ImageFont.ImageFont") -> str:
    """Shorten a caption to the width of its tile."""
    if font.getlength(text) <= TILE_PX:
        return text
    while text and font.getlength(text + "…") > TILE_PX:
        text = text[:-1]
    return text.rstrip() + "…"
