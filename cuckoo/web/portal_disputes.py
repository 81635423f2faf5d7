"""The portal's routes about disputes: ``/api/disputes``."""

from aiohttp import web

from cuckoo.domain.identifiers import NodeId
from cuckoo.protocol.portal import At
from cuckoo.protocol.portal_disputes import DisputePage, DisputeView
from cuckoo.services.disputing.record import Records
from cuckoo.services.disputing.shown import detail_of, row_of
from cuckoo.services.staking.shelf import NodeShelf
from cuckoo.web.bodies import answered
from cuckoo.web.mounting import number_in

_PAGE_MAX = 100
_NUMBER_MAX = 2**53
_NODE_MAX = 2**32 - 1


class DisputesApi:
    """Reads only."""

    def __init__(self, records: Records, shelf: NodeShelf) -> None:
        """Take the record of disputes, and the nodes."""
        self._records = records
        self._shelf = shelf

    def mount(self, app: web.Application) -> None:
        """Put the routes onto an application."""
        app.router.add_get("/api/disputes", answered(self.page))
        app.router.add_get("/api/disputes/{dispute}", answered(self.one))

    async def page(self, request: web.Request) -> DisputePage:
        """Some of them, the newest first."""
        asked = request.query
        miner = number_in(asked["miner"], "miner", 1, _NODE_MAX) if "miner" in asked else None
        block, total, found = await self._records.page(
            asked.get("state", "all"),
            number_in(asked.get("offset", "0"), "offset", 0, _NUMBER_MAX),
            number_in(asked.get("limit", "20"), "limit", 1, _PAGE_MAX),
            None if miner is None else NodeId(miner),
        )
        return DisputePage(
            at=At(block=block.number, time=block.timestamp, hash=block.hash),
            total=total,
            disputes=tuple(row_of(one) for one in found),
        )

    async def one(self, request: web.Request) -> DisputeView:
        """One in full."""
        record = await self._records.record(number_in(request.match_info["dispute"], "dispute", 1, _NUMBER_MAX))
        url = self._shelf.url(NodeId(record.result.dispute.coordinator))
        return DisputeView(at=self._shelf.at(), detail=detail_of(record, url))
