"""Pictures that go into a task: read from what apps send, brought to the task's sides, packed as they are hashed.

A packed picture is height u32, width u32 (big-endian) and its RGB8 rows: what
:func:`cuckoo.protocol.receipts.pixel_hash` takes the sha256 of. So an input is named by its pixel hash wherever it
lies, and whoever gets it has nothing to decode.
"""

import base64
import binascii
import hashlib
import io
import struct
import warnings

import msgspec
from PIL import Image, ImageOps, UnidentifiedImageError

from cuckoo.domain.errors import InvalidField
from cuckoo.domain.task import NO_HASH

FORMATS = ("PNG", "JPEG", "WEBP")
SIDE_MAX_PX = 4_096
"""Of a picture as an app sends it."""

_SIDES = struct.Struct(">II")
_MODES = ("1", "L", "LA", "P", "PA", "RGB", "RGBA", "CMYK", "YCbCr")
_HALF = 128


class Inputs(msgspec.Struct, frozen=True, kw_only=True):
    """Packed pictures, and an encoded list of LoRAs; b"" for none."""

    source: bytes = b""
    mask: bytes = b""
    loras: bytes = b""

    @property
    def source_hash(self) -> bytes:
        """Pixel hash of the source, zero without."""
        return input_hash(self.source)

    @property
    def mask_hash(self) -> bytes:
        """Pixel hash of the mask, zero without."""
        return input_hash(self.mask)

    @property
    def payloads(self) -> tuple[bytes, ...]:
        """What there is, in the order of :attr:`cuckoo.domain.task.TaskParameters.inputs`."""
        return tuple(one for one in (self.source, self.mask, self.loras) if one)


def input_hash(payload: bytes) -> bytes:
    """Return the hash by which a task names an input; zero for none."""
    return hashlib.sha256(payload).digest() if payload else NO_HASH


def decoded(text: str, field: str) -> bytes:
    """Read a picture file from base64, or from a ``data:`` URL with it.

    Raises:
        InvalidField: it is neither.
    """
    if text.startswith("data:"):
        head, comma, text = text.partition(",")
        if not comma or not head.endswith(";base64"):
            raise InvalidField(field, head[:40], "must be base64, or a data: URL with base64")
    try:
        return base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError) as error:
        raise InvalidField(field, f"{len(text):,} characters", f"must be base64: {error}") from None


def prepare(source: bytes, mask: bytes, width_px: int, height_px: int) -> Inputs:
    """Bring pictures to a task's sides: cut to its aspect around the middle, then made smaller or larger.

    Args:
        source: a PNG, JPEG or WebP file; what is transparent becomes white.
        mask: likewise, as large as the source: what is lighter than middle grey is drawn anew; b"" for none.
        width_px, height_px: of the task.

    Raises:
        InvalidField: says which, and what is wrong with it.
    """
    sides = (width_px, height_px)
    picture = opened(source, "source")
    fitted = ImageOps.fit(flat(picture), sides, Image.Resampling.LANCZOS)
    if not mask:
        return Inputs(source=packed(fitted))
    veil = opened(mask, "mask")
    if veil.size != picture.size:
        size = " x ".join(map(str, veil.size))
        raise InvalidField("mask", size, f"must have the source's size, {picture.width} x {picture.height} pixels")
    grey = ImageOps.fit(flat(veil).convert("L"), sides, Image.Resampling.BILINEAR)
    return Inputs(source=packed(fitted), mask=packed(grey.point(_black_or_white)))


def _black_or_white(level: int) -> int:
    return 255 if level >= _HALF else 0


def opened(file: bytes, field: str) -> Image.Image:
    """Decode a picture file, turned as its camera says; headers are read first, so that a bomb is not unpacked.

    Raises:
        InvalidField: it is none of :data:`FORMATS`, too large, or broken.
    """
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore", Image.DecompressionBombWarning)
            image = Image.open(io.BytesIO(file), formats=FORMATS)
        if max(image.size) > SIDE_MAX_PX:
            raise _too_large(field, f"{image.width} x {image.height} pixels")
        if image.mode not in _MODES:
            raise InvalidField(field, f"colours of the kind {image.mode}", "must have 8 bits a colour")
        image.load()
        return ImageOps.exif_transpose(image)
    except UnidentifiedImageError:
        raise InvalidField(field, f"{len(file):,} bytes", "must be a PNG, JPEG or WebP file") from None
    except Image.DecompressionBombError:
        raise _too_large(field, f"{len(file):,} bytes") from None
    except (OSError, SyntaxError, ValueError, struct.error) as error:
        raise InvalidField(field, f"{len(file):,} bytes", f"must be a picture that can be decoded: {error}") from None


def _too_large(field: str, given: str) -> InvalidField:
    return InvalidField(field, given, f"must be at most {SIDE_MAX_PX:,} pixels a side")


def flat(image: Image.Image) -> Image.Image:
    """Return a picture in RGB, on white where it is transparent."""
    if not image.has_transparency_data:
        return image.convert("RGB")
    image = image.convert("RGBA")
    ground = Image.new("RGBA", image.size, "white")
    return Image.alpha_composite(ground, image).convert("RGB")


def inverted(mask: bytes) -> bytes:
    """Return a mask with black and white changed, as a PNG file; raises InvalidField."""
    return _png(ImageOps.invert(flat(opened(mask, "mask"))))


def veil_of(file: bytes, field: str) -> bytes:
    """Return the mask that a picture's transparent parts make, as a PNG file; b"" where nothing is transparent.

    Raises:
        InvalidField: it is no picture.
    """
    image = opened(file, field)
    if not image.has_transparency_data:
        return b""
    clear = image.convert("RGBA").getchannel("A").point(_clear)
    return _png(clear) if clear.getbbox() else b""


def _clear(alpha: int) -> int:
    return 0 if alpha else 255


def _png(image: Image.Image) -> bytes:
    file = io.BytesIO()
    image.save(file, "PNG", compress_level=1)
    return file.getvalue()


def packed(image: Image.Image) -> bytes:
    """Pack a picture."""
    return _SIDES.pack(image.height, image.width) + image.convert("RGB").tobytes()


def packed_size(width_px: int, height_px: int) -> int:
    """Return the bytes of a packed picture of these sides."""
    return _SIDES.size + 3 * width_px * height_px


def unpacked(payload: bytes, width_px: int, height_px: int, field: str) -> Image.Image:
    """Return the RGB picture of these sides that is packed.

    Raises:
        InvalidField: it is another.
    """
    if payload[: _SIDES.size] != _SIDES.pack(height_px, width_px) or len(payload) != packed_size(width_px, height_px):
        raise InvalidField(field, f"{len(payload):,} bytes", f"must be a packed picture of {width_px} x {height_px}")
    return Image.frombytes("RGB", (width_px, height_px), payload[_SIDES.size :])
