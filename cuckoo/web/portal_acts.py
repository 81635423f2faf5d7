"""The portal's routes that plan and sign: ``/api/plans``, ``/api/acts``."""

import hmac
from urllib.parse import urlsplit

from aiohttp import web

from cuckoo.domain.errors import ConfigError, OriginRefused, PeerFault
from cuckoo.protocol.acts import Act, read_act
from cuckoo.services.staking.acts import Acts
from cuckoo.services.staking.desk import SigningDesk
from cuckoo.web.bodies import JSON, json_response, read_body

TOKEN_HEADER = "X-Cuckoo-Token"  # noqa: S105 - the name of a header
ID_HEADER = "Idempotency-Key"
BODY_MAX = 16_384
_LOOPBACK = ("127.0.0.1", "localhost", "::1")


class ActRefused(PeerFault):
    """An act that can not be done as things stand; says why and what to do."""

    code = "refused"
    http_status = 409


class ActsApi:
    """Plans for every wallet; signs for the one whose key is here, and for pages of this machine only."""

    def __init__(self, acts: Acts, desk: SigningDesk | None) -> None:
        """Take the use cases; None for a portal without a key."""
        self._acts = acts
        self._desk = desk

    def mount(self, app: web.Application) -> None:
        """Put the routes onto an application."""
        app.router.add_post("/api/plans", self.plan)
        if self._desk is not None:
            app.router.add_post("/api/acts", self.begin)
            app.router.add_get("/api/acts/{id}", self.get)

    async def plan(self, request: web.Request) -> web.Response:
        """What an act would do: transactions in order, and what to know before."""
        act = await _act_in(request)
        try:
            return json_response(await self._acts.plan(act))
        except ConfigError as error:
            raise ActRefused(str(error)) from error

    async def begin(self, request: web.Request) -> web.Response:
        """202: it is signed and sent; the same Idempotency-Key again does nothing twice."""
        desk = self._admitted(request)
        act = await _act_in(request)
        return json_response(desk.begin(request.headers.get(ID_HEADER, ""), act), 202)

    async def get(self, request: web.Request) -> web.Response:
        """How an act stands."""
        return json_response(self._admitted(request).get(request.match_info["id"]))

    def _admitted(self, request: web.Request) -> SigningDesk:
        """Let in only pages that this server gave out: another page neither knows the token nor can set the header."""
        assert self._desk is not None
        host = urlsplit(f"//{request.host}").hostname
        shown = request.headers.get(TOKEN_HEADER, "")
        if host not in _LOOPBACK or not hmac.compare_digest(shown.encode(), self._desk.token.encode()):
            raise OriginRefused("sign: only a page that this portal gave out, on this machine, may ask")
        return self._desk


async def _act_in(request: web.Request) -> Act:
    if request.content_type != JSON:
        raise ActRefused(f"read the body: its Content-Type must be {JSON}")
    return read_act(await read_body(request, BODY_MAX))


def session_of(desk: SigningDesk | None) -> dict[str, str | None]:
    """Return what a page needs to know to sign: who signs, the address of the key, and the token."""
    if desk is None:
        return {"signing": "wallet", "address": None, "csrf": None}
    return {"signing": "key", "address": desk.address, "csrf": desk.token}
