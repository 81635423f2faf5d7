"""The pages that people open: static files of this package, from memory, under a strict policy."""

import hashlib
import mimetypes
from collections.abc import Collection, Iterator
from importlib import resources
from importlib.resources.abc import Traversable

from aiohttp import web
from aiohttp.typedefs import Handler

FOLDER = "pages"
POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' blob: data:; connect-src 'self'; "
    "base-uri 'none'; form-action 'none'; frame-ancestors 'none'"
)
_KINDS = {".js": "text/javascript", ".svg": "image/svg+xml", ".html": "text/html", ".css": "text/css"}
_NOT_SERVED = (".md", ".py", ".pyc")


def mount_pages(app: web.Application, folder: str = FOLDER, *, only: Collection[str] = ()) -> None:
    """Serve the files of a folder of this package under its name, and its ``index.html`` at ``/``.

    Args:
        app: where.
        folder: beside this module.
        only: names of files, where not all of them are wanted.
    """
    for path, file in _files(resources.files("cuckoo.web") / folder, f"/{folder}"):
        if only and file.name not in only:
            continue
        app.router.add_get("/" if path == f"/{folder}/index.html" else path, _served(file.read_bytes(), file.name))


def _files(folder: Traversable, path: str) -> Iterator[tuple[str, Traversable]]:
    """Go through the files below a folder, each with the path that it is served at."""
    for one in sorted(folder.iterdir(), key=lambda one: one.name):
        if one.is_dir():
            yield from _files(one, f"{path}/{one.name}")
        elif not one.name.endswith(_NOT_SERVED):
            yield f"{path}/{one.name}", one


def _served(content: bytes, name: str) -> Handler:
    tag = hashlib.sha256(content).hexdigest()[:32]
    suffix = f".{name.rpartition('.')[2]}"
    kind = _KINDS.get(suffix) or mimetypes.guess_type(name)[0] or "text/plain"
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
