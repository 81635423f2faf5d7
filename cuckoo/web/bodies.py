"""Bodies in and out: bounded, typed, and refused with a reason."""

from typing import Any

import msgspec
from aiohttp import web

from cuckoo.domain.errors import BodyTooLarge, UnknownVersion
from cuckoo.protocol.messages import PROTOCOL_VERSION, Message, decode_binary, decode_json, encode_binary, encode_json
from cuckoo.protocol.routes import Route

JSON = "application/json"
MSGPACK = "application/msgpack"


async def read_body(request: web.Request, limit: int) -> bytes:
    """Read a body of at most ``limit`` bytes; nothing is read of one that says it is larger.

    Raises:
        BodyTooLarge: names the limit.
    """
    if request.content_length is not None and request.content_length > limit:
        raise BodyTooLarge(f"read the body: {request.content_length:,} bytes, at most {limit:,}")
    body = bytearray()
    while chunk := await request.content.readany():
        body += chunk
        if len(body) > limit:
            raise BodyTooLarge(f"read the body: more than {limit:,} bytes")
    return bytes(body)


def decode(route: Route, body: bytes) -> Any:
    """Read the request of a route.

    Raises:
        InvalidField: it is not what the route takes; names where.
        UnknownVersion: of a protocol version that we do not speak.
    """
    if route.request is None:
        return None
    if not route.binary:
        return decode_json(body, route.request)
    message = decode_binary(body, route.request)
    if isinstance(message, Message) and message.version != PROTOCOL_VERSION:
        raise UnknownVersion(
            f"read {type(message).__name__}: protocol version {message.version} is unknown here, "
            f"this side speaks version {PROTOCOL_VERSION}: update the older side"
        )
    return message


def reply(route: Route, message: msgspec.Struct | None, status: int = 200) -> web.Response:
    """Write the answer of a route; None is an answer without a body."""
    if message is None:
        return web.Response(status=204)
    if route.binary:
        return web.Response(body=encode_binary(message), content_type=MSGPACK, status=status)
    return json_response(message, status)


def json_response(message: msgspec.Struct, status: int = 200) -> web.Response:
    """Write a struct as a JSON answer."""
    return web.Response(body=encode_json(message), content_type=JSON, status=status)
