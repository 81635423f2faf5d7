"""A door for Prometheus alone, for roles that have no other."""

from collections.abc import AsyncIterator, Callable
from contextlib import asynccontextmanager

from aiohttp import web

from cuckoo.domain.errors import ConfigError
from cuckoo.runtime.metrics import CONTENT_TYPE
from cuckoo.web.server import listen, serving


@asynccontextmanager
async def serving_metrics(address: str, render: Callable[[], bytes]) -> AsyncIterator[None]:
    """Serve ``/metrics`` until left; nothing where the address is "".

    Args:
        address: HOST:PORT; an IPv6 host in brackets.
        render: writes the metrics.

    Raises:
        ConfigError: it is no address, or taken.
    """
    if not address:
        yield
        return
    host, _, port = address.rpartition(":")
    if not host or not port.isascii() or not port.isdigit() or int(port) > 65_535:
        raise ConfigError(f'serve metrics on "{address}": it must be HOST:PORT, like 127.0.0.1:9464')

    async def answer(_: web.Request) -> web.Response:
        return web.Response(body=render(), headers={"Content-Type": CONTENT_TYPE})

    app = web.Application()
    app.router.add_get("/metrics", answer)
    with listen(host.strip("[]"), int(port)) as listener:
        async with serving(app, listener):
            yield
