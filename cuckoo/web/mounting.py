"""Put handlers onto the routes of the protocol's table."""

from collections.abc import Awaitable, Callable
from typing import Any

import msgspec
from aiohttp import web

from cuckoo.domain.errors import InvalidField
from cuckoo.domain.identifiers import TaskId, parse_task_id
from cuckoo.protocol.routes import Route
from cuckoo.web.bodies import check_content_type, decode, read_body, reply

Answer = msgspec.Struct | web.StreamResponse | None
Handle = Callable[[web.Request, Any], Awaitable[Answer]]
"""Takes a request and its decoded body; returns a struct, nothing (204), or a response of its own."""

_ATTEMPT_MAX = 2**16 - 1


def mount(
    app: web.Application,
    route: Route,
    handle: Handle,
    *,
    body_limit: int,
    admit: Callable[[web.Request], None] | None = None,
    most_bytes: Callable[[web.Request], Awaitable[int]] | None = None,
) -> None:
    """Serve a route.

    Args:
        app: where.
        route: method, path, types.
        handle: what answers.
        body_limit: bytes of the largest body.
        admit: raises when the caller may not; asked before anything of the body is read.
        most_bytes: tells how large a body may be that this request can sensibly have, and raises where it has no sense
            at all; asked before anything of the body is read.
    """
    limit = min(body_limit, route.body_max or body_limit)

    async def handler(request: web.Request) -> web.StreamResponse:
        if admit is not None:
            admit(request)
        body = None
        if route.request is not None:
            check_content_type(request, route)
            most = limit if most_bytes is None else min(limit, await most_bytes(request))
            body = decode(route, await read_body(request, most))
        answer = await handle(request, body)
        return answer if isinstance(answer, web.StreamResponse) else reply(route, answer)

    if route.method == "GET":
        app.router.add_get(route.path, handler, name=route.name)
    else:
        app.router.add_route(route.method, route.path, handler, name=route.name)


def task_in(request: web.Request) -> TaskId:
    """Read the task of a path; raises InvalidField."""
    return parse_task_id(request.match_info["task"])


def attempt_in(request: web.Request) -> int:
    """Read the attempt of a path; raises InvalidField."""
    return number_in(request.match_info["attempt"], "attempt", 1, _ATTEMPT_MAX)


def digest_in(request: web.Request) -> bytes:
    """Read the sha256 of a path; raises InvalidField."""
    text = request.match_info["sha256"]
    if len(text) != 64 or any(letter not in "0123456789abcdef" for letter in text):
        raise InvalidField("sha256", text, "must be 64 lower-case hex digits")
    return bytes.fromhex(text)


def number_in(text: str, field: str, low: int, high: int) -> int:
    """Read a number of a path or query; raises InvalidField."""
    if not (text.isascii() and text.isdigit() and len(text) < 20 and low <= int(text) <= high):
        raise InvalidField(field, text, f"must be {low:,} to {high:,}")
    return int(text)
