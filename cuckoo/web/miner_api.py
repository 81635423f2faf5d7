"""The miner API: sign-in, long polls, progress, results."""

import asyncio
from typing import Any

from aiohttp import web

from cuckoo.domain.errors import NotSignedIn
from cuckoo.domain.identifiers import NodeId
from cuckoo.protocol import routes
from cuckoo.protocol.market import MissedView
from cuckoo.protocol.messages import (
    Accepted,
    ChallengeAnswer,
    Failure,
    Poll,
    Progress,
    ProgressReply,
    ResultUpload,
    Session,
    SignInOffer,
    SignInProof,
    SignInRequest,
    SubmitReply,
)
from cuckoo.services.dispatch.service import Dispatch
from cuckoo.services.sessions import Sessions, SignedIn
from cuckoo.web.bodies import packed_response, reply
from cuckoo.web.mounting import Handle, attempt_in, digest_in, mount, number_in, task_in

_BEARER = "Bearer "
_CHALLENGE_MAX = 2**63 - 1
_SESSION = web.RequestKey("session", SignedIn)


def _node_of(request: web.Request) -> NodeId:
    return request[_SESSION].node.node_id


class MinerApi:
    """Handlers; each is a line or two around a use case."""

    def __init__(self, dispatch: Dispatch, sessions: Sessions) -> None:
        """Take the use cases."""
        self._dispatch = dispatch
        self._miners = dispatch.miners
        self._sessions = sessions

    def mount(self, app: web.Application, *, body_limit: int, picture_body_limit: int) -> None:
        """Put every miner route onto an application."""
        handlers: dict[str, Handle] = {
            "sign_in": self.sign_in,
            "open_session": self.open_session,
            "sign_out": self.sign_out,
            "poll": self.poll,
            "progress": self.progress,
            "result": self.result,
            "input": self.input,
            "failure": self.failure,
            "challenge": self.challenge,
            "missed": self.missed,
        }
        for route in routes.MINER_ROUTES:
            mount(
                app,
                route,
                handlers[route.name],
                body_limit=picture_body_limit if route.pictures else body_limit,
                admit=self._admit if route.caller is routes.Caller.MINER else None,
                most_bytes=self._most_bytes if route is routes.RESULT else None,
            )

    def _admit(self, request: web.Request) -> None:
        given = request.headers.get("Authorization", "")
        if not given.startswith(_BEARER):
            raise NotSignedIn('call as a miner: send "Authorization: Bearer" with the token of /miner/v1/sessions')
        request[_SESSION] = self._sessions.of_token(given.removeprefix(_BEARER))

    async def _most_bytes(self, request: web.Request) -> int:
        return await self._miners.most_bytes(_node_of(request), task_in(request), attempt_in(request))

    async def sign_in(self, _: web.Request, body: SignInRequest) -> SignInOffer:
        """The coordinator's half."""
        return await self._sessions.offer(body)

    async def open_session(self, _: web.Request, body: SignInProof) -> Session:
        """The miner's half; from here on it takes part."""
        session = await self._sessions.open(body)
        voucher = await self._miners.admit(session.node.node_id, body.voucher)
        self._miners.sign_in(
            session.node,
            slots=body.slots,
            offers=body.models,
            last_sequence=session.last_sequence,
            device=body.device,
        )
        return Session(
            token=session.token,
            expires_at=session.expires_at,
            open_tasks=self._dispatch.engine.tasks.queued,
            voucher=voucher,
        )

    async def sign_out(self, request: web.Request, _: Any) -> Accepted:
        """The end of a session."""
        node = _node_of(request)
        self._sessions.end(node)
        self._miners.sign_out(node)
        return Accepted()

    async def poll(self, request: web.Request, body: Poll) -> web.StreamResponse:
        """A signed assignment, or 204 when none came. It is written here, so that one that does not arrive is kept."""
        node = _node_of(request)
        signed = await self._miners.poll(node, body)
        response = reply(routes.POLL, signed)
        if signed is None:
            return response
        try:
            await response.prepare(request)
            await response.write_eof()
        except (ConnectionError, asyncio.CancelledError):
            self._miners.undelivered(body.slot, signed)
            raise
        return response

    async def progress(self, request: web.Request, body: Progress) -> ProgressReply:
        """How far an attempt is; says whether to stop."""
        node = _node_of(request)
        return await self._miners.progress(node, task_in(request), attempt_in(request), body)

    async def result(self, request: web.Request, body: ResultUpload) -> SubmitReply:
        """Pictures and receipt: durable when answered."""
        node = _node_of(request)
        return await self._miners.result(node, task_in(request), attempt_in(request), body)

    async def input(self, request: web.Request, _: Any) -> web.Response:
        """A source, a mask, or a list of LoRAs."""
        node, digest = _node_of(request), digest_in(request)
        payload = await self._miners.input(node, task_in(request), attempt_in(request), digest)
        return packed_response(payload)

    async def failure(self, request: web.Request, body: Failure) -> Accepted:
        """An attempt that brings no result."""
        node = _node_of(request)
        await self._miners.failure(node, task_in(request), attempt_in(request), body)
        return Accepted()

    async def challenge(self, request: web.Request, body: ChallengeAnswer) -> SubmitReply:
        """The latents that were asked for."""
        number = number_in(request.match_info["challenge"], "challenge", 1, _CHALLENGE_MAX)
        return await self._miners.answer(_node_of(request), number, body)

    async def missed(self, request: web.Request, _: Any) -> MissedView:
        """Why tasks went to others."""
        return await self._dispatch.missed.view(_node_of(request))
