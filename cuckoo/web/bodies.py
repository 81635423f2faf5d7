"""Bodies in and out: bounded, typed, and refused with a reason."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import msgspec
from aiohttp import web
from aiohttp.typedefs import Handler

from cuckoo.domain.errors import BodyTooLarge, BodyTooSlow, InvalidField, WrongContentType
from cuckoo.protocol.messages import Buffer, decode_binary, decode_json, encode_binary, encode_json
from cuckoo.protocol.routes import Route

JSON = "application/json"
MSGPACK = "application/msgpack"
BODY_GRACE_S = 15.0
BODY_LEAST_BYTES_PER_S = 32_768


def check_content_type(request: web.Request, route: Route) -> None:
    """Refuse a body that says it is something else than the route takes.

    A page in a browser can send other types to any address without being asked; JSON it can not.

    Raises:
        WrongContentType: names what it is and what it must be.
    """
    wanted = MSGPACK if route.binary else JSON
    if request.content_type != wanted or "Content-Type" not in request.headers:
        given = request.headers.get("Content-Type", "nothing")[:100]
        raise WrongContentType(f"read the body: its Content-Type says {given!r}, it must be {wanted}")


async def read_body(
    request: web.Request,
    limit: int,
    *,
    grace_s: float = BODY_GRACE_S,
    least_bytes_per_s: float = BODY_LEAST_BYTES_PER_S,
) -> Buffer:
    """Read a body of at most ``limit`` bytes; nothing is read of one that says it is larger.

    Args:
        request: whose.
        limit: bytes.
        grace_s: how long it may take besides what it earns by its bytes.
        least_bytes_per_s: how fast the rest must come.

    Raises:
        BodyTooLarge: names the limit.
        BodyTooSlow: it trickles in.
    """
    if request.content_length is not None and request.content_length > limit:
        raise BodyTooLarge(f"read the body: {request.content_length:,} bytes, at most {limit:,}")
    if request.content.is_eof() and request.content_length is not None:
        return request.content.read_nowait()
    body = bytearray()
    until = asyncio.get_running_loop().time() + grace_s
    try:
        async with asyncio.timeout_at(until) as timeout:
            while chunk := await request.content.readany():
                body += chunk
                if len(body) > limit:
                    raise BodyTooLarge(f"read the body: more than {limit:,} bytes")
                timeout.reschedule(until + len(body) / least_bytes_per_s)
    except TimeoutError:
        raise BodyTooSlow(
            f"read the body: {len(body):,} bytes came in {grace_s + len(body) / least_bytes_per_s:.0f} s, "
            f"after {grace_s:g} s it must be {least_bytes_per_s:,.0f} bytes/s"
        ) from None
    return body


def decode(route: Route, body: Buffer) -> Any:
    """Read the request of a route.

    Raises:
        InvalidField: it is not what the route takes; names where.
        UnknownVersion: of a protocol version that we do not speak.
    """
    if route.request is None:
        return None
    if route.elements_max and (commas := body.count(b",")) > route.elements_max:
        raise InvalidField("body", f"{commas:,} commas", f"at most {route.elements_max:,}: no such request has more")
    return decode_binary(body, route.request) if route.binary else decode_json(body, route.request)


def reply(route: Route, message: msgspec.Struct | None, status: int = 200) -> web.Response:
    """Write the answer of a route; None is an answer without a body."""
    if message is None:
        return web.Response(status=204)
    if route.binary:
        return web.Response(body=encode_binary(message), content_type=MSGPACK, status=status)
    return json_response(message, status)


def packed_response(payload: bytes) -> web.Response:
    """Write an input of a task, smaller on the way where the caller takes that."""
    response = web.Response(body=payload, content_type="application/octet-stream")
    response.enable_compression()
    return response


def json_response(message: msgspec.Struct, status: int = 200) -> web.Response:
    """Write a struct as a JSON answer."""
    return web.Response(body=encode_json(message), content_type=JSON, status=status)


def answered(handler: Callable[[web.Request], Awaitable[msgspec.Struct]]) -> Handler:
    """Make a handler whose answer is a struct into one of aiohttp; nothing keeps its answers."""

    async def answer(request: web.Request) -> web.Response:
        response = json_response(await handler(request))
        response.headers["Cache-Control"] = "no-store"
        return response

    return answer
