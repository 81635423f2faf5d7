"""Pictures that go into tasks: what is taken, what becomes of it, what is refused and why."""

import base64
import hashlib
import io
import struct
import zlib

import pytest
from hypothesis import given
from hypothesis import strategies as st
from PIL import Image

from cuckoo.domain.errors import InvalidField
from cuckoo.protocol.inputs import Inputs, decoded, input_hash, inverted, packed, prepare, unpacked, veil_of
from cuckoo.protocol.receipts import pixel_hash


def file(image, form="PNG", **more):
    stream = io.BytesIO()
    image.save(stream, form, **more)
    return stream.getvalue()


def plain(size=(64, 64), colour="orange", mode="RGB"):
    return Image.new(mode, size, colour)


def shown(inputs, sides=(64, 64)):
    return unpacked(inputs.source, *sides, "source")


@pytest.mark.parametrize("form", ["PNG", "JPEG", "WEBP"])
def test_prepare__each_format__same_size_and_named_by_its_pixel_hash(form):
    made = prepare(file(plain(), form, **({} if form == "PNG" else {"quality": 100})), b"", 64, 64)
    picture = shown(made)
    assert picture.size == (64, 64)
    assert made.source_hash == pixel_hash(64, 64, picture.tobytes())
    assert made.mask_hash == bytes(32)
    assert made.payloads == (made.source,)


def test_prepare__wide_picture__cut_around_the_middle_not_squeezed():
    wide = plain((192, 64), "white")
    wide.paste("red", (64, 0, 128, 64))
    assert set(shown(prepare(file(wide), b"", 64, 64)).get_flattened_data()) == {(255, 0, 0)}


def test_prepare__transparent_and_turned__on_white_and_upright():
    clear = Image.new("RGBA", (64, 64), (255, 0, 0, 0))
    assert shown(prepare(file(clear), b"", 64, 64)).getpixel((5, 5)) == (255, 255, 255)
    turned = plain((64, 128), "white")
    turned.paste("blue", (0, 0, 64, 64))
    exif = turned.getexif()
    exif[0x0112] = 6  # the camera was on its side
    picture = shown(prepare(file(turned, "PNG", exif=exif), b"", 128, 64), (128, 64))
    assert picture.getpixel((120, 32)) == (0, 0, 255)
    assert picture.getpixel((5, 32)) == (255, 255, 255)


def test_prepare__mask__black_and_white_only():
    mask = plain((64, 64), 127, "L")
    mask.paste(128, (0, 0, 32, 64))
    made = prepare(file(plain()), file(mask), 64, 64)
    veil = unpacked(made.mask, 64, 64, "mask")
    assert veil.getpixel((3, 3)) == (255, 255, 255)
    assert veil.getpixel((60, 60)) == (0, 0, 0)
    assert made.payloads == (made.source, made.mask)


def bomb():
    """A small file that says it is huge."""

    def chunk(kind, data):
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    head = struct.pack(">IIBBBBB", 60_000, 60_000, 8, 2, 0, 0, 0)
    return (
        b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", zlib.compress(bytes(1000))) + chunk(b"IEND", b"")
    )


@pytest.mark.parametrize(
    ("source", "mask", "field", "limit"),
    [
        (b"", b"", "source", "PNG, JPEG or WebP"),
        (b"GIF89a" + bytes(40), b"", "source", "PNG, JPEG or WebP"),
        (file(plain())[:-40], b"", "source", "can be decoded"),
        (bomb(), b"", "source", "4,096 pixels a side"),
        (file(plain((4_104, 8))), b"", "source", "4,096 pixels a side"),
        (file(Image.new("I;16", (8, 8), 60_000)), b"", "source", "8 bits a colour"),
        (file(plain()), file(plain((32, 64))), "mask", "the source's size, 64 x 64"),
        (file(plain()), b"no picture", "mask", "PNG, JPEG or WebP"),
    ],
)
def test_prepare__not_to_be_taken__field_and_limit_named(source, mask, field, limit):
    with pytest.raises(InvalidField) as caught:
        prepare(source, mask, 64, 64)
    assert caught.value.field == field
    assert limit in str(caught.value)


def test_decoded__plain_or_data_url__bytes_and_nothing_else_is():
    text = base64.b64encode(b"picture").decode()
    assert decoded(text, "source") == decoded(f"data:image/png;base64,{text}", "source") == b"picture"
    for wrong in ("data:image/png,abc", "data:", "???", "http://example.com/a.png"):
        with pytest.raises(InvalidField, match="source"):
            decoded(wrong, "source")


@given(st.binary(max_size=200))
def test_prepare__any_bytes__a_clear_refusal(content):
    with pytest.raises(InvalidField):
        prepare(content, b"", 64, 64)


@given(st.integers(1, 12), st.integers(1, 12), st.data())
def test_packed__any_picture__comes_back_and_is_named_by_its_pixels(width, height, data):
    rows = data.draw(st.binary(min_size=3 * width * height, max_size=3 * width * height))
    payload = packed(Image.frombytes("RGB", (width, height), rows))
    assert unpacked(payload, width, height, "source").tobytes() == rows
    assert input_hash(payload) == hashlib.sha256(payload).digest() == pixel_hash(height, width, rows)
    with pytest.raises(InvalidField):
        unpacked(payload + b"\0", width, height, "source")
    with pytest.raises(InvalidField):
        unpacked(payload, width + 1, height, "source")


def test_masks__transparent_parts_and_inverted__as_other_apis_mean_them():
    image = Image.new("RGBA", (64, 64), (255, 0, 0, 255))
    assert veil_of(file(image), "image") == b""
    assert veil_of(file(plain()), "image") == b""
    image.paste((0, 0, 0, 0), (0, 0, 32, 64))
    veil = Image.open(io.BytesIO(veil_of(file(image), "image")))
    assert (veil.getpixel((3, 3)), veil.getpixel((60, 3))) == (255, 0)
    turned = Image.open(io.BytesIO(inverted(veil_of(file(image), "image"))))
    assert (turned.getpixel((3, 3)), turned.getpixel((60, 3))) == ((0, 0, 0), (255, 255, 255))


def test_inputs__none__no_hash_and_nothing_to_carry():
    assert (Inputs().source_hash, Inputs().payloads) == (bytes(32), ())
