"""Forms with files in them: what OpenAI's packages send with ``images.edit``. Source: RFC 7578."""

import asyncio
import base64
from dataclasses import dataclass, field

import msgspec
from aiohttp import BodyPartReader, web
from aiohttp.http_exceptions import HttpProcessingError

from cuckoo.domain.errors import BodyTooLarge, BodyTooSlow, InvalidField, WrongContentType
from cuckoo.protocol.inputs import veil_of
from cuckoo.protocol.messages import TaskRequest
from cuckoo.protocol.openai import EditRequest

FORM = "multipart/form-data"
SECONDS = 120.0
"""In which a form has to be here."""

PARTS_MAX = 64
_FILES = {"image": "image", "image[]": "image", "mask": "mask"}


@dataclass
class Form:
    """Files by their field, and the other fields as text."""

    files: dict[str, bytes] = field(default_factory=dict)
    texts: dict[str, str] = field(default_factory=dict)


async def read_form(request: web.Request, limit: int) -> Form:
    """Read a form of at most ``limit`` bytes.

    Raises:
        WrongContentType: it is none.
        BodyTooLarge, BodyTooSlow: it is not taken.
        InvalidField: a field comes twice, or is no part of a form.
    """
    if request.content_type != FORM:
        given = request.headers.get("Content-Type", "nothing")[:100]
        raise WrongContentType(f"read the body: its Content-Type says {given!r}, it must be {FORM}")
    if request.content_length is not None and request.content_length > limit:
        raise BodyTooLarge(f"read the body: {request.content_length:,} bytes, at most {limit:,}")
    try:
        async with asyncio.timeout(SECONDS):
            return await _read(request, limit)
    except TimeoutError:
        raise BodyTooSlow(f"read the body: it did not arrive within {SECONDS:.0f} s") from None
    except (HttpProcessingError, ValueError, AssertionError) as error:
        raise InvalidField("body", "this form", f"must be {FORM} that can be read: {error}") from None


async def _read(request: web.Request, limit: int) -> Form:
    form, left = Form(), limit
    async for part in await request.multipart():
        if not isinstance(part, BodyPartReader) or not part.name:
            raise InvalidField("body", "a part without a name", f"must be {FORM}")
        content = bytearray()
        while chunk := await part.read_chunk():
            content += chunk
            left -= len(chunk)
            if left < 0:
                raise BodyTooLarge(f"read the body: more than {limit:,} bytes")
        name = _FILES.get(part.name, part.name)
        if name in form.files or name in form.texts:
            raise InvalidField(name, "given twice", "takes one")
        if len(form.files) + len(form.texts) >= PARTS_MAX:
            raise InvalidField("body", f"more than {PARTS_MAX} parts", f"at most {PARTS_MAX}")
        if part.name in _FILES:
            form.files[name] = bytes(content)
        else:
            form.texts[name] = content.decode()
    return form


def edit_request(form: Form) -> EditRequest:
    """Read the fields besides the files; raises InvalidField."""
    if "image" not in form.files:
        raise InvalidField("image", None, "must be given")
    try:
        return msgspec.convert(form.texts, EditRequest, strict=False)
    except msgspec.ValidationError as error:
        message, _, path = str(error).partition(" - at `")
        raise InvalidField(path.rstrip("`").removeprefix("$.") or "body", "this value", message.lower()) from None


def edited(form: Form, wanted: TaskRequest) -> TaskRequest:
    """Put the files into a request: what is transparent in the mask, else in the picture, is drawn anew.

    Raises:
        InvalidField: a file is no picture.
    """
    source = form.files["image"]
    if "mask" in form.files:
        mask = veil_of(form.files["mask"], "mask")
        if not mask:
            raise InvalidField("mask", "nothing transparent", "must be transparent where the picture is drawn anew")
    else:
        mask = veil_of(source, "image")
    return msgspec.structs.replace(wanted, source=_base64(source), mask=_base64(mask))


def _base64(content: bytes) -> str:
    return base64.b64encode(content).decode()
