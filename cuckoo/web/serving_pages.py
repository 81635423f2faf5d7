"""The pages that people open: static files of this package, from memory, under a strict policy."""

import hashlib
import mimetypes
from importlib import resources

from aiohttp import web
from aiohttp.typedefs import Handler

FOLDER = "pages"
POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' blob: data:; connect-src 'self'; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
_KINDS = {".js": "text/javascript", ".svg": "image/svg+xml", ".html": "text/html", ".css": "text/css"}


def mount_pages(app: web.Application) -> None:
    """Serve the playground at ``/``, and its files under ``/pages``."""
    for file in sorted((resources.files("cuckoo.web") / FOLDER).iterdir(), key=lambda file: file.name):
        if file.is_file():
            path = "/" if file.name == "index.html" else f"/{FOLDER}/{file.name}"
            app.router.add_get(path, _served(file.read_bytes(), file.name))


def _served(content: bytes, name: str) -> Handler:
    tag = hashlib.sha256(content).hexdigest()[:32]
    suffix = f".{name.rpartition('.')[2]}"
    kind = _KINDS.get(suffix) or mimetypes.guess_type(name)[0] or "application/octet-stream"
    headers = {
        "ETag": f'"{tag}"',
        "Cache-Control": "no-cache",
        "Content-Security-Policy": POLICY,
        "X-Content-Type-Options": "nosniff",
        "Referrer-Policy": "no-referrer",
        "Cross-Origin-Opener-Policy": "same-origin",
    }

    async def handler(request: web.Request) -> web.Response:
        if any(one.value == tag for one in request.if_none_match or ()):
            return web.Response(status=304, headers=headers)
        return web.Response(body=content, content_type=kind, charset="utf-8", headers=headers)

    return handler
