"""A receipt inside a PNG file, as an iTXt chunk: the pixels stay what they are. Source: PNG third edition, 11.3.3.4.

And how far two pictures lie apart.
"""

import io
import struct
import zlib

from PIL import Image, ImageChops, ImageStat

from cuckoo.domain.errors import InvalidField
from cuckoo.protocol.messages import ReceiptView, decode_json, encode_json

KEYWORD = b"Cuckoo receipt"
_SIGNATURE = b"\x89PNG\r\n\x1a\n"
_HEAD = struct.Struct(">I4s")
_CRC = struct.Struct(">I")
_PLAIN = b"\0\0\0\0\0"
"""After the keyword: its end, no compression, method 0, no language, no translated keyword."""

_END = _HEAD.pack(0, b"IEND") + _CRC.pack(zlib.crc32(b"IEND"))


def with_receipt(png: bytes, receipt: ReceiptView) -> bytes:
    """Put a receipt before the end of a PNG file that this network has checked."""
    kind, data = b"iTXt", KEYWORD + _PLAIN + encode_json(receipt)
    chunk = _HEAD.pack(len(data), kind) + data + _CRC.pack(zlib.crc32(kind + data))
    return png.removesuffix(_END) + chunk + _END


def receipt_in(png: bytes) -> ReceiptView:
    """Find the receipt in a PNG file.

    Raises:
        InvalidField: it is no PNG file, it is cut off, there is no receipt in it, or not one that can be read.
    """
    if not png.startswith(_SIGNATURE):
        raise InvalidField("picture", png[:8], "must be a PNG file: other formats carry no receipt")
    at = len(_SIGNATURE)
    while at + _HEAD.size <= len(png):
        length, kind = _HEAD.unpack_from(png, at)
        data = png[at + _HEAD.size : at + _HEAD.size + length]
        if kind == b"iTXt" and data.startswith(KEYWORD + _PLAIN):
            return decode_json(data[len(KEYWORD + _PLAIN) :], ReceiptView)
        at += _HEAD.size + length + _CRC.size
    raise InvalidField(
        "picture", f"{len(png):,} bytes", "must hold a receipt: saved anew by another program, it loses it"
    )


def difference(picture: bytes, other: bytes) -> tuple[float, int]:
    """Return by how much two PNG files differ: the mean and the largest, of 255; 255 where their sizes differ."""
    with Image.open(io.BytesIO(picture)) as one, Image.open(io.BytesIO(other)) as two:
        if one.size != two.size:
            return 255.0, 255
        bands = ImageStat.Stat(ImageChops.difference(one.convert("RGB"), two.convert("RGB")))
    return sum(bands.mean) / len(bands.mean), max(int(high) for _, high in bands.extrema)
