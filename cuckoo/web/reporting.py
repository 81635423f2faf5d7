"""The door for abuse reports."""

from aiohttp import web

from cuckoo.protocol import routes
from cuckoo.protocol.messages import Reported, ReportRequest
from cuckoo.services.moderation import Reports
from cuckoo.web.bodies import json_response
from cuckoo.web.callers import Callers
from cuckoo.web.mounting import mount


class ReportsApi:
    """``/v1/reports``: open to everybody, without a key."""

    def __init__(self, reports: Reports, callers: Callers) -> None:
        """Take the use case, and what tells callers apart."""
        self._reports = reports
        self._callers = callers

    def mount(self, app: web.Application, *, body_limit: int) -> None:
        """Put the route onto an application."""
        mount(app, routes.REPORT, self.report, body_limit=body_limit)

    async def report(self, request: web.Request, body: ReportRequest) -> web.Response:
        """201 when it is kept."""
        number = await self._reports.take(body, self._callers.address_of(request))
        return json_response(Reported(report=number), 201)
