"""RPC endpoints that misbehave: small servers in front of a real chain."""

import asyncio
import json
from contextlib import asynccontextmanager

import aiohttp
from aiohttp import web


class Proxy:
    """Hands requests to a chain. Override :meth:`answer` to do worse.

    Attributes:
        url: where it listens.
        asked: every request, in order: (method, parameters).
    """

    def __init__(self, upstream):
        self.upstream = upstream
        self.url = ""
        self.asked = []
        self._more = asyncio.Condition()

    async def until(self, method, times):
        """Wait until a method was asked for so often."""
        async with self._more:
            await self._more.wait_for(lambda: self.count(method) >= times)

    def count(self, method):
        return sum(name == method for name, _ in self.asked)

    async def pass_on(self, request):
        async with self._session.post(self.upstream, json=request) as response:
            return await response.json()

    async def answer(self, request):
        return await self.pass_on(request)

    async def _serve(self, request):
        body = json.loads(await request.read())
        async with self._more:
            self.asked.append((body["method"], body["params"]))
            self._more.notify_all()
        return web.json_response(await self.answer(body))

    @asynccontextmanager
    async def running(self):
        app = web.Application(client_max_size=2**24)
        app.router.add_post("/", self._serve)
        runner = web.AppRunner(app, shutdown_timeout=0.01)
        await runner.setup()
        try:
            async with aiohttp.ClientSession() as self._session:
                site = web.TCPSite(runner, "127.0.0.1", 0)
                await site.start()
                self.url = f"http://127.0.0.1:{runner.addresses[0][1]}"
                yield self
        finally:
            await runner.cleanup()


class Hanging(Proxy):
    """Takes requests and never answers, from the moment on that ``hangs`` is set."""

    hangs = True

    async def answer(self, request):
        if self.hangs:
            await asyncio.Event().wait()
        return await super().answer(request)


class Lying(Proxy):
    """Tells another chain id."""

    async def answer(self, request):
        if request["method"] == "eth_chainId":
            return {"jsonrpc": "2.0", "id": request["id"], "result": "0x1"}
        return await super().answer(request)


class Lagging(Proxy):
    """Stands still at block ``at`` (None: is up to date)."""

    at = None

    async def answer(self, request):
        if self.at is not None:
            if request["method"] == "eth_blockNumber":
                return {"jsonrpc": "2.0", "id": request["id"], "result": hex(self.at)}
            request["params"] = [hex(self.at) if item == "latest" else item for item in request["params"]]
        return await super().answer(request)


class Refusing(Proxy):
    """Refuses ``eth_getLogs`` over more than ``most`` blocks."""

    most = 3

    async def answer(self, request):
        if request["method"] == "eth_getLogs":
            asked = request["params"][0]
            if int(asked["toBlock"], 16) - int(asked["fromBlock"], 16) >= self.most:
                error = {"code": -32005, "message": "query exceeds the range of blocks"}
                return {"jsonrpc": "2.0", "id": request["id"], "error": error}
        return await super().answer(request)
