"""The staking portal: its pages, what they read, and the acts that they plan."""

from typing import Any

from aiohttp import web

from cuckoo.chain.rpc import ChainClient
from cuckoo.domain.amounts import COORDINATOR_MINIMUM, MINER_MINIMUM, format_cai
from cuckoo.domain.identifiers import NodeId
from cuckoo.protocol.portal import NodePage, NodeView, Overview, SessionView, Stats
from cuckoo.protocol.portal_income import NodeHistory, Rewards
from cuckoo.protocol.signing import parse_address
from cuckoo.services.disputing.record import Records
from cuckoo.services.staking.acts import Acts
from cuckoo.services.staking.desk import SigningDesk
from cuckoo.services.staking.history import History
from cuckoo.services.staking.income import DAYS_MAX, csv_of, history_of, rewards_of
from cuckoo.services.staking.overview import overview_of
from cuckoo.services.staking.risks import JUDGED_PERCENT, PROVEN_PERCENT, WEEK_PERCENT
from cuckoo.services.staking.shelf import PAGE_MAX, NodeShelf
from cuckoo.services.staking.wallet import Wallet
from cuckoo.web.bodies import answered
from cuckoo.web.errors import errors
from cuckoo.web.mounting import number_in
from cuckoo.web.portal_acts import ActsApi, session_of
from cuckoo.web.portal_disputes import DisputesApi
from cuckoo.web.portal_events import EventsApi
from cuckoo.web.serving_pages import mount_pages

FOLDER = "portal_pages"
_NODE_MAX = 2**32 - 1
_SEARCH_MAX = 100
_PAGE = "50"
_DAYS = "30"


class PortalApi:
    """Handlers; each is a line or two around a use case."""

    def __init__(self, client: ChainClient, shelf: NodeShelf, history: History, desk: SigningDesk | None) -> None:
        """Take the chain, the nodes, what has happened, and who signs here; None for wallets in browsers only."""
        self._client = client
        self._shelf = shelf
        self._history = history
        self._desk = desk

    def mount(self, app: web.Application) -> None:
        """Put the routes onto an application."""
        for path, handler in (
            ("/api/session", self.session),
            ("/api/overview", self.overview),
            ("/api/nodes", self.nodes),
            ("/api/nodes/{node}", self.node),
            ("/api/nodes/{node}/history", self.node_history),
            ("/api/rewards", self.rewards),
            ("/api/stats", self.stats),
        ):
            app.router.add_get(path, answered(handler))
        app.router.add_get("/api/rewards.csv", self.rewards_csv)

    async def session(self, _: web.Request) -> SessionView:
        """Which network this is, and who signs."""
        network = self._client.network
        parameters = network.parameters
        contracts = {
            "token": network.token,
            "staking": network.staking,
            "escrow": network.escrow,
            "disputes": network.disputes,
        }
        if network.faucet is not None:
            contracts["faucet"] = network.faucet
        who: dict[str, Any] = session_of(self._desk)
        return SessionView(
            at=self._shelf.at(),
            network=network.name,
            chain_id=network.chain_id,
            rpc_url=network.rpc_urls[0],
            test_network=network.faucet is not None,
            contracts=contracts,
            parameters={
                "unbonding_s": str(parameters.unbonding),
                "bucket_s": str(parameters.release_bucket),
                "commission_notice_s": str(parameters.commission_notice),
                "jail_s": str(parameters.jail),
                "slash_percent": JUDGED_PERCENT,
                "slash_week_percent": WEEK_PERCENT,
                "slash_proven_percent": PROVEN_PERCENT,
                "miner_minimum_cai": format_cai(MINER_MINIMUM, grouped=False),
                "coordinator_minimum_cai": format_cai(COORDINATOR_MINIMUM, grouped=False),
            },
            **who,
        )

    async def overview(self, request: web.Request) -> Overview:
        """All that a wallet has."""
        address = parse_address(request.query.get("address", ""), "address")
        return await overview_of(self._client, self._shelf, address)

    async def nodes(self, request: web.Request) -> NodePage:
        """A part of the list of nodes."""
        asked = request.query
        return await self._shelf.page(
            role=asked.get("role", "all"),
            sort=asked.get("sort", "weight"),
            descending=asked.get("order", "desc") == "desc",
            search=asked.get("search", "")[:_SEARCH_MAX],
            eligible=asked.get("eligible", "0") == "1",
            offset=number_in(asked.get("offset", "0"), "offset", 0, _NODE_MAX),
            limit=number_in(asked.get("limit", _PAGE), "limit", 1, PAGE_MAX),
        )

    async def node(self, request: web.Request) -> NodeView:
        """One node."""
        return await self._shelf.view(_node_in(request))

    async def node_history(self, request: web.Request) -> NodeHistory:
        """The last days of one node."""
        return await history_of(_node_in(request), self._shelf, self._history, _days_in(request))

    async def rewards(self, request: web.Request) -> Rewards:
        """What a wallet earned, by day, node and source, and may expect."""
        address = parse_address(request.query.get("address", ""), "address")
        return await rewards_of(Wallet(self._client, address), self._shelf, self._history, _days_in(request))

    async def rewards_csv(self, request: web.Request) -> web.Response:
        """The same as a file."""
        found = await self.rewards(request)
        name = f"cuckoo-rewards-{found.staker}-{found.from_day}.csv"
        return web.Response(
            text="".join(csv_of(found)),
            content_type="text/csv",
            headers={"Content-Disposition": f'attachment; filename="{name}"', "Cache-Control": "no-store"},
        )

    async def stats(self, _: web.Request) -> Stats:
        """The network in numbers."""
        return await self._shelf.stats()


def _node_in(request: web.Request) -> NodeId:
    return NodeId(number_in(request.match_info["node"], "node", 1, _NODE_MAX))


def _days_in(request: web.Request) -> int:
    return number_in(request.query.get("days", _DAYS), "days", 1, DAYS_MAX)


def portal_app(client: ChainClient, shelf: NodeShelf, history: History, desk: SigningDesk | None) -> web.Application:
    """Put the portal together."""
    app = web.Application(middlewares=[errors])
    PortalApi(client, shelf, history, desk).mount(app)
    DisputesApi(Records(client), shelf).mount(app)
    EventsApi(history).mount(app)
    ActsApi(Acts(client), desk).mount(app)
    mount_pages(app, FOLDER)
    mount_pages(app, only=("style.css", "cuckoo.svg"))
    return app
