"""Which pages of other addresses may call the public API. Source: WHATWG Fetch, section 3.2."""

from collections.abc import Collection
from urllib.parse import urlsplit

from aiohttp import web
from aiohttp.typedefs import Handler, Middleware

from cuckoo.domain.errors import OriginRefused

ANY = "*"
PATHS = ("/v1/", "/openapi.json")
_EXPOSED = "ETag, Location, Retry-After, X-Cuckoo-Task"
_PREFLIGHT_S = 600


def check_origin(request: web.Request, origins: Collection[str]) -> None:
    """Refuse a form from a page of another address, which browsers send without asking.

    Raises:
        OriginRefused: it is not among ``origins``.
    """
    origin = request.headers.get("Origin", "")
    if origin and ANY not in origins and origin not in origins and urlsplit(origin).netloc != request.host:
        raise OriginRefused(f"take a form: pages of {origin[:200]!r} may not send one; cors_origins says which may")


def allow_origins(app: web.Application, origins: Collection[str]) -> Middleware:
    """Let pages of these origins call the public API; ``ANY`` among them lets all.

    Keys come in a header that a page has to set by itself, never with cookies, so nothing is done in a visitor's name.

    Returns:
        The middleware that answers the browser's question in advance; headers of answers are written by a signal,
        so that streams have them as well.
    """

    def allowed(request: web.Request) -> str:
        origin = request.headers.get("Origin", "")
        known = ANY in origins or origin in origins
        return origin if origin and known and request.path.startswith(PATHS) else ""

    async def mark(request: web.Request, response: web.StreamResponse) -> None:
        if request.path.startswith(PATHS) and origins:
            response.headers["Vary"] = "Origin"
        if origin := allowed(request):
            response.headers["Access-Control-Allow-Origin"] = ANY if ANY in origins else origin
            response.headers["Access-Control-Expose-Headers"] = _EXPOSED

    @web.middleware
    async def preflight(request: web.Request, handler: Handler) -> web.StreamResponse:
        if (
            request.method != "OPTIONS"
            or "Access-Control-Request-Method" not in request.headers
            or not allowed(request)
        ):
            return await handler(request)
        return web.Response(
            status=204,
            headers={
                "Access-Control-Allow-Methods": "GET, POST, DELETE",
                "Access-Control-Allow-Headers": "Authorization, Content-Type, Idempotency-Key",
                "Access-Control-Max-Age": str(_PREFLIGHT_S),
            },
        )

    app.on_response_prepare.append(mark)
    return preflight
