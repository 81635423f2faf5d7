"""The door for programs that were written for OpenAI's images."""

import asyncio
import base64
import hashlib
import hmac
import io
import re
import secrets
from collections.abc import AsyncIterator, Callable, Collection
from typing import Any

import msgspec
from aiohttp import web
from PIL import Image as Pixels

from cuckoo.domain.errors import InvalidField, NotFound, Overloaded
from cuckoo.domain.identifiers import TaskId, parse_task_id
from cuckoo.domain.task import PICTURES_MAX
from cuckoo.protocol import routes
from cuckoo.protocol.messages import TaskRequest, TaskView
from cuckoo.protocol.openai import (
    PARTIAL_IMAGES_MAX,
    CompletedImage,
    EditRequest,
    ErrorDetail,
    ErrorEnvelope,
    Image,
    ImagesRequest,
    ImagesResponse,
    OutputFormat,
    PartialImage,
)
from cuckoo.protocol.views import EventKind, TaskEvent
from cuckoo.runtime.clock import Clock
from cuckoo.services.dispatch.apps import AppDesk
from cuckoo.storage.keys import ApiKey
from cuckoo.web.bodies import json_response
from cuckoo.web.cors import check_origin
from cuckoo.web.forms import edit_request, edited, read_form
from cuckoo.web.mounting import mount, number_in
from cuckoo.web.streaming import Streams, stream_frames

LINK_S = 3_600
COMPRESSION_MAX = 100
TASK_HEADER = "X-Cuckoo-Task"
_SIZE = re.compile(r"([0-9]{1,5})x([0-9]{1,5})")
_AGAIN_S = 5.0
_SIGNED_BYTES = 16
_FAR_FUTURE = 2**40
_QUEUED = b": queued\n\n"
_GONE = (EventKind.FAILED, EventKind.CANCELLED)


class ImagesApi:
    """``/v1/images``: a task, waited for."""

    def __init__(self, apps: AppDesk, streams: Streams, clock: Clock, *, origins: Collection[str] = ()) -> None:
        """Take the use case, the count of open streams, time, and whose pages may send forms."""
        self._origins = origins
        self._apps = apps
        self._streams = streams
        self._clock = clock
        self._secret = secrets.token_bytes(32)

    def mount(
        self,
        app: web.Application,
        *,
        body_limit: int,
        picture_body_limit: int,
        admit: Callable[[web.Request], None],
        key: web.RequestKey[ApiKey],
    ) -> None:
        """Put the routes onto an application; ``admit`` writes the caller's API key under ``key``."""
        self._key = key
        self._upload_limit = picture_body_limit
        mount(app, routes.CREATE_IMAGE, self.create, body_limit=body_limit, admit=admit)
        mount(app, routes.EDIT_IMAGE, self.edit, body_limit=picture_body_limit, admit=admit)
        mount(app, routes.IMAGE_FILE, self.file, body_limit=body_limit)

    async def create(self, request: web.Request, body: ImagesRequest) -> web.StreamResponse:
        """Pictures, when they are done; or events while they are drawn."""
        return await self._serve(request, body, task_request(body))

    async def edit(self, request: web.Request, _: Any) -> web.StreamResponse:
        """Likewise, of a picture: with a mask of its transparent parts, else of all of it."""
        check_origin(request, self._origins)
        form = await read_form(request, self._upload_limit)
        body = edit_request(form)
        return await self._serve(request, body, await asyncio.to_thread(edited, form, task_request(body)))

    async def _serve(self, request: web.Request, body: ImagesRequest, wanted: TaskRequest) -> web.StreamResponse:
        key = request.get(self._key)
        with self._streams.one_of(key):
            view, _ = await self._apps.submit(wanted, key=key)
            owner = None if key is None else key.key_id
            try:
                if body.stream:
                    return await stream_frames(
                        request, self._frames(body, view, owner), headers={TASK_HEADER: view.task_id}
                    )
                return await self._answer(request, body, view, owner)
            except BaseException:
                # Whoever asked has gone, or can not be told: nobody waits for these pictures.
                await asyncio.shield(self._apps.cancel(view.task_id, owner))
                raise

    async def _answer(
        self, request: web.Request, body: ImagesRequest, view: TaskView, owner: int | None
    ) -> web.Response:
        async for event in self._apps.events(view.task_id, owner):
            _check(event)
        form = body.output_format or "png"
        if body.response_format == "url":
            expires = int(self._clock.now()) + LINK_S
            data = [
                Image(url=f"{request.url.origin()}{self._path(view.task_id, index, owner, expires)}")
                for index in range(view.parameters.pictures)
            ]
        else:
            data = [
                Image(b64_json=_base64(await self._picture(view, index, owner, body)))
                for index in range(view.parameters.pictures)
            ]
        answer = ImagesResponse(created=int(view.created_at), data=tuple(data), size=_size(view), output_format=form)
        response = json_response(answer)
        response.headers[TASK_HEADER] = view.task_id
        return response

    async def _frames(self, body: ImagesRequest, view: TaskView, owner: int | None) -> AsyncIterator[bytes]:
        yield _QUEUED
        form, shown = body.output_format or "png", 0
        kind = "image_edit" if isinstance(body, EditRequest) else "image_generation"
        async for event in self._apps.events(view.task_id, owner):
            if event.kind in _GONE:
                yield _failed(event)
                return
            if event.preview and shown < (body.partial_images or 0) and event.step * 4 >= event.steps * (shown + 1):
                partial = PartialImage(
                    type=f"{kind}.partial_image",
                    partial_image_index=shown,
                    b64_json=_base64(await _converted(event.preview, form, body.output_compression)),
                    created_at=int(self._clock.now()),
                    size=_size(view),
                    output_format=form,
                )
                shown += 1
                yield _frame(partial)
        for index in range(view.parameters.pictures):
            completed = CompletedImage(
                type=f"{kind}.completed",
                b64_json=_base64(await self._picture(view, index, owner, body)),
                created_at=int(self._clock.now()),
                size=_size(view),
                output_format=form,
            )
            yield _frame(completed)

    async def _picture(self, view: TaskView, index: int, owner: int | None, body: ImagesRequest) -> bytes:
        _, png = await self._apps.picture(view.task_id, index, owner)
        return await _converted(png, body.output_format or "png", body.output_compression)

    # Links, which are fetched without a key.

    def _path(self, task_id: TaskId, index: int, owner: int | None, expires: int) -> str:
        said = f"{task_id}.{index}.{'' if owner is None else owner}.{expires}"
        return routes.IMAGE_FILE.path.format(token=f"{said}.{self._sign(said)}")

    def _sign(self, said: str) -> str:
        return hmac.digest(self._secret, said.encode(), hashlib.sha256)[:_SIGNED_BYTES].hex()

    async def file(self, request: web.Request, _: Any) -> web.Response:
        """A PNG file by its link."""
        token = request.match_info["token"]
        said, _, signature = token.rpartition(".")
        if not hmac.compare_digest(signature.encode(), self._sign(said).encode()):
            raise NotFound(f"read the picture {token[:80]}: there is no such link, or this coordinator has restarted")
        task, index, owner, expires = said.split(".")
        if number_in(expires, "expires", 0, _FAR_FUTURE) < self._clock.now():
            raise NotFound(f"read a picture of task {task}: links hold for {LINK_S // 60} minutes")
        _, png = await self._apps.picture(parse_task_id(task), int(index), int(owner) if owner else None)
        return web.Response(body=png, content_type="image/png", headers={"X-Content-Type-Options": "nosniff"})


def task_request(body: ImagesRequest) -> TaskRequest:
    """Turn a request into ours.

    Raises:
        InvalidField: a value is outside its limit.
    """
    count = 1 if body.n is None else body.n
    for field, value, low, high in (
        ("n", count, 1, PICTURES_MAX),
        ("partial_images", body.partial_images or 0, 0, PARTIAL_IMAGES_MAX),
        ("output_compression", body.output_compression or 0, 0, COMPRESSION_MAX),
    ):
        if not low <= value <= high:
            raise InvalidField(field, value, f"must be {low} to {high}")
    width_px = height_px = None
    if body.size not in (None, "auto"):
        size = _SIZE.fullmatch(str(body.size))
        if size is None:
            raise InvalidField("size", body.size, 'must be "auto" or WIDTHxHEIGHT, for example 512x512')
        width_px, height_px = map(int, size.groups())
    return TaskRequest(
        prompt=body.prompt, model=body.model or "", pictures=count, width_px=width_px, height_px=height_px
    )


def _check(event: TaskEvent) -> None:
    if event.kind in _GONE:
        raise Overloaded(f"draw the pictures of task {event.task_id}: {event.reason or event.kind.value}", _AGAIN_S)


def _failed(event: TaskEvent) -> bytes:
    """Say within a stream, whose status was told long ago, that there will be no picture."""
    message = f"draw the pictures of task {event.task_id}: {event.reason or event.kind.value}"
    told = ErrorEnvelope(error=ErrorDetail(message=message, type="server_error", code="overloaded"))
    return b"event: error\ndata: %s\n\n" % msgspec.json.encode(told)


def _size(view: TaskView) -> str:
    return f"{view.parameters.width_px}x{view.parameters.height_px}"


def _base64(content: bytes) -> str:
    return base64.b64encode(content).decode()


def _frame(event: PartialImage | CompletedImage) -> bytes:
    return b"event: %s\ndata: %s\n\n" % (event.type.encode(), msgspec.json.encode(event))


async def _converted(png: bytes, form: OutputFormat, quality: int | None) -> bytes:
    """Return a picture in another format; the receipt inside a PNG file stays there only."""
    if form == "png":
        return png

    def convert() -> bytes:
        file = io.BytesIO()
        with Pixels.open(io.BytesIO(png), formats=("PNG",)) as picture:
            picture.convert("RGB").save(file, form.upper(), quality=100 if quality is None else quality)
        return file.getvalue()

    return await asyncio.to_thread(convert)
