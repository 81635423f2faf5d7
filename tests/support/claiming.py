"""HTTP servers that say about miners what they are told to say, as coordinators do."""

import asyncio

from aiohttp import web

from cuckoo.protocol.messages import encode_json
from cuckoo.protocol.views import MinerList, MinerView, NetworkView

CHAIN = 31_337


def view(node, **more):
    values = {"assigned": 1, **more}
    fixed = {"owner": "0x", "operator": "0x", "weight_wei": 0, "own_wei": 0, "votes_wei": 0, "introduction": ""}
    return MinerView(node_id=node, signed_in=True, models=(), **fixed, **values)


def network(node, chain_id=CHAIN):
    return NetworkView(
        chain_id=chain_id,
        staking="0x",
        coordinator_node=node,
        operator="0x",
        weight_wei=0,
        draw_period_s=10,
        period=None,
        seed_tip=b"",
        miners=1,
        queued=0,
        running=0,
    )


class Coordinators:
    """HTTP servers that say what they are told to say."""

    def __init__(self):
        self._runners = []
        self.closing = asyncio.Event()

    async def add(self, node, *miners, chain_id=CHAIN, answer=None):
        """Serve one; ``answer`` replaces its list of miners. Gives its address."""
        app = web.Application()

        async def said_network(_):
            return web.Response(body=encode_json(network(node, chain_id)), content_type="application/json")

        async def said_miners(request):
            if answer is not None:
                return await answer(request)
            after = int(request.query["after"])
            rest = [one for one in miners if one.node_id > after]
            page = MinerList(miners=tuple(rest[:2]), cursor=rest[1].node_id if len(rest) > 2 else None)
            return web.Response(body=encode_json(page), content_type="application/json")

        app.router.add_get("/v1/network", said_network)
        app.router.add_get("/v1/miners", said_miners)
        runner = web.AppRunner(app, shutdown_timeout=0)
        await runner.setup()
        await web.TCPSite(runner, "127.0.0.1", 0).start()
        self._runners.append(runner)
        return f"http://127.0.0.1:{runner.addresses[0][1]}"

    async def close(self):
        self.closing.set()
        for runner in self._runners:
            await runner.cleanup()
