"""Check pictures against their receipt, without trusting a byte of them."""

import io
import struct
from collections.abc import Sequence

from PIL import Image

from cuckoo.domain.errors import InvalidField
from cuckoo.protocol.messages import PREVIEW_MAX_BYTES
from cuckoo.protocol.receipts import pixel_hash

_SIGNATURE = b"\x89PNG\r\n\x1a\n"
_CHUNK = struct.Struct(">I4s")
_HEADER = struct.Struct(">IIBBBBB")
_HEADER_AT = len(_SIGNATURE) + _CHUNK.size
_RGB8 = (8, 2, 0, 0, 0)
"""Bit depth, colour type, compression, filter, interlace."""

_ALLOWED = frozenset((b"IHDR", b"IDAT", b"IEND", b"tEXt", b"pHYs"))
_CRC_BYTES = 4
_OVERHEAD_BYTES = 65_536
_CHUNKS_MAX = 8_192
PREVIEW_MAX_PX = 1_024


def check_pictures(
    pictures: Sequence[bytes], hashes: Sequence[bytes], *, count: int, width_px: int, height_px: int
) -> bool:
    """Check number, size, format and pixels of a result's pictures.

    Headers are read first: nothing is decoded that is not a plain RGB picture of the size that was asked for, so a
    compressed bomb costs no more than a look.

    Args:
        pictures: PNG files.
        hashes: pixel hashes of the receipt, in the same order.
        count, width_px, height_px: what the task asked for.

    Returns:
        Whether one of them is blank: a single colour.

    Raises:
        InvalidField: names the picture and what is wrong with it.
    """
    for field, given in (("pictures", pictures), ("receipt.picture_hashes", hashes)):
        if len(given) != count:
            raise InvalidField(field, f"{len(given)} entries", f"the task asks for {count}")
    for number, png in enumerate(pictures):
        check_header(png, f"pictures[{number}]", width_px, height_px)
    blank = False
    for number, (png, expected) in enumerate(zip(pictures, hashes, strict=True)):
        field = f"pictures[{number}]"
        pixels = _pixels(png, field)
        blank |= pixels == pixels[:3] * (len(pixels) // 3)
        if pixel_hash(height_px, width_px, pixels) != expected:
            raise InvalidField(field, "its pixels", f"must have the hash that the receipt signs, {expected.hex()}")
    return blank


def most_bytes(width_px: int, height_px: int) -> int:
    """Return how many bytes the PNG file of an RGB picture takes at most, as we accept it."""
    return width_px * height_px * 3 + height_px + _OVERHEAD_BYTES


def check_header(png: bytes, field: str, width_px: int, height_px: int) -> None:
    """Check that bytes are a whole PNG file of 8-bit RGB and this size, by its chunks only.

    Raises:
        InvalidField: says what is wrong.
    """
    if not png.startswith(_SIGNATURE):
        raise InvalidField(field, png[:8], "must be a PNG file")
    most = most_bytes(width_px, height_px)
    if len(png) > most:
        raise InvalidField(field, f"{len(png):,} bytes", f"at most {most:,}, what {width_px} x {height_px} pixels take")
    at, kind, chunks = len(_SIGNATURE), b"", 0
    while kind != b"IEND":
        chunks += 1
        if chunks > _CHUNKS_MAX:
            raise InvalidField(field, f"more than {_CHUNKS_MAX:,} chunks", f"at most {_CHUNKS_MAX:,} PNG chunks")
        if at + _CHUNK.size > len(png):
            raise InvalidField(field, f"{len(png):,} bytes", "must be a whole PNG file, this one is cut off")
        length, following = _CHUNK.unpack_from(png, at)
        if (kind == b"") != (following == b"IHDR") or following not in _ALLOWED:
            raise InvalidField(field, following, "must have the PNG chunks IHDR, IDAT, IEND, tEXt and pHYs only")
        at, kind = at + _CHUNK.size + length + _CRC_BYTES, following
    if at != len(png):
        raise InvalidField(field, f"{len(png):,} bytes", "must be a whole PNG file and nothing behind it")
    try:
        width, height, *form = _HEADER.unpack_from(png, _HEADER_AT)
    except struct.error:
        raise InvalidField(field, "its header", "must be that of a PNG file") from None
    if (width, height) != (width_px, height_px):
        raise InvalidField(field, f"{width} x {height}", f"must be {width_px} x {height_px} pixels")
    if tuple(form) != _RGB8:
        raise InvalidField(field, tuple(form), "must be 8-bit RGB without interlacing")


def check_preview(png: bytes) -> None:
    """Check that a preview is a small PNG, by its header only: apps get it as it is.

    Raises:
        InvalidField: it is not.
    """
    if not png.startswith(_SIGNATURE) or len(png) > PREVIEW_MAX_BYTES or len(png) < _HEADER_AT + _HEADER.size:
        raise InvalidField(
            "preview", f"{len(png):,} bytes", f"must be a PNG file of at most {PREVIEW_MAX_BYTES:,} bytes"
        )
    width, height, *_ = _HEADER.unpack_from(png, _HEADER_AT)
    if not (0 < width <= PREVIEW_MAX_PX and 0 < height <= PREVIEW_MAX_PX):
        raise InvalidField("preview", f"{width} x {height}", f"must be at most {PREVIEW_MAX_PX:,} pixels a side")


def _pixels(png: bytes, field: str) -> bytes:
    try:
        with Image.open(io.BytesIO(png), formats=("PNG",)) as image:
            return image.tobytes()
    except (OSError, SyntaxError, ValueError, struct.error) as error:
        raise InvalidField(field, "this file", f"must be decodable: {error}") from None
