"""Child: aiohttp and nothing else. It reads three kinds of requests and gives fixed answers, of the sizes that ours have."""

import asyncio

import uvloop
from aiohttp import web

from tests.bench.children import answer, commands

ANSWER_BYTES = {"/submit": 400, "/poll": 1_100, "/result": 500}


def _fixed(size):
    body = bytes(size)

    async def handler(request):
        await request.read()
        return web.Response(body=body)

    return handler


async def main():
    application = web.Application(client_max_size=2**20)
    for path, size in ANSWER_BYTES.items():
        application.router.add_post(path, _fixed(size))
    runner = web.AppRunner(application, access_log=None)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    answer(port=runner.addresses[0][1])
    async for _ in commands():
        pass
    await runner.cleanup()


if __name__ == "__main__":
    with asyncio.Runner(loop_factory=uvloop.new_event_loop) as runner:
        runner.run(main())
