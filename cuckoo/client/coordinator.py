"""What a miner calls at a coordinator."""

from collections.abc import Callable
from urllib.parse import urlsplit

from cuckoo.client.http import ANSWER_MAX_BYTES, PICTURE_MAX_BYTES, Http, check_origin, global_address, is_loopback
from cuckoo.domain.errors import PeerFault, TakenDown
from cuckoo.domain.identifiers import TaskId
from cuckoo.protocol import routes
from cuckoo.protocol.market import MissedView
from cuckoo.protocol.messages import (
    ChallengeAnswer,
    EvidenceUpload,
    Failure,
    Poll,
    Progress,
    ProgressReply,
    ResultUpload,
    Session,
    SignedAssignment,
    SignInOffer,
    SignInProof,
    SignInRequest,
    SubmitReply,
    decode_binary,
    decode_json,
    encode_binary,
    encode_json,
)
from cuckoo.protocol.routes import Route
from cuckoo.protocol.views import EvidenceView

Pass = Callable[[int, bytes], str]
"""Signs a request for a piece of evidence, given the dispute and its sha256."""

POLL_S = 45.0
UPLOAD_S = 180.0


class CoordinatorClient:
    """Calls to one coordinator's miner API.

    Every method raises CoordinatorUnreachable when there is no answer, or the PeerFault that was answered. Signatures
    are checked by the caller: this class only carries them.
    """

    def __init__(self, origin: str, *, passes: Pass | None = None) -> None:
        """Name the coordinator.

        Introductions are written by strangers, so only public addresses are connected to, whatever a name resolves to;
        an origin that says loopback itself is called there: whether it may be is for the caller to decide.

        Args:
            origin: ``scheme://host[:port]``.
            passes: makes a juror's pass to a piece of evidence; None for who judges nothing.

        Raises:
            ConfigError: not an address that may be called.
        """
        loopback = is_loopback(urlsplit(check_origin(origin)).hostname or "")
        self._passes = passes
        self._http = Http(origin, allowed=is_loopback if loopback else global_address)

    async def close(self) -> None:
        """Close all connections."""
        await self._http.close()

    async def sign_in(self, request: SignInRequest) -> SignInOffer:
        """Ask to sign in."""
        return decode_json(await self._send(routes.SIGN_IN, encode_json(request)), SignInOffer)

    async def open_session(self, proof: SignInProof) -> Session:
        """Prove to be the miner."""
        return decode_json(await self._send(routes.OPEN_SESSION, encode_json(proof)), Session)

    async def sign_out(self, token: str) -> None:
        """End a session: what is assigned and unfinished goes to others."""
        await self._send(routes.SIGN_OUT, None, token)

    async def poll(self, token: str, poll: Poll) -> SignedAssignment | None:
        """Offer a slot; None when the long poll ended without an assignment."""
        headers = _bearer(token) | {"Content-Type": "application/json"}
        body = await self._http.call(
            routes.POLL.method, routes.POLL.path, body=encode_json(poll), headers=headers, timeout_s=POLL_S
        )
        return None if body is None else decode_json(body, SignedAssignment)

    async def progress(self, token: str, task_id: TaskId, attempt: int, progress: Progress) -> ProgressReply:
        """Report a step; the reply says whether to stop."""
        path = _path(routes.PROGRESS, task_id, attempt)
        return decode_json(await self._send(routes.PROGRESS, encode_json(progress), token, path), ProgressReply)

    async def submit(self, token: str, task_id: TaskId, attempt: int, upload: ResultUpload) -> SubmitReply:
        """Upload a result; once this returns it is durable there."""
        path = _path(routes.RESULT, task_id, attempt)
        return decode_binary(await self._send(routes.RESULT, encode_binary(upload), token, path), SubmitReply)

    async def input(self, token: str, task_id: TaskId, attempt: int, digest: bytes) -> bytes:
        """Read something that a task is made from, by its sha256."""
        path = routes.INPUT.path.format(task=task_id, attempt=attempt, sha256=digest.hex())
        return await self._send(routes.INPUT, None, token, path, limit=PICTURE_MAX_BYTES)

    async def answer(self, token: str, challenge: int, answer: ChallengeAnswer) -> SubmitReply:
        """Answer a challenge; the reply comes when the answer was checked, or says that it is being checked."""
        path = routes.CHALLENGE.path.format(challenge=challenge)
        return decode_binary(await self._send(routes.CHALLENGE, encode_binary(answer), token, path), SubmitReply)

    async def fail(self, token: str, task_id: TaskId, attempt: int, failure: Failure) -> None:
        """Report that an attempt failed."""
        await self._send(routes.FAILURE, encode_json(failure), token, _path(routes.FAILURE, task_id, attempt))

    async def missed(self, token: str) -> MissedView:
        """Read which tasks went to other miners, and why."""
        return decode_json(await self._send(routes.MISSED, None, token), MissedView)

    async def evidence(self, dispute: int) -> EvidenceView:
        """Read what a dispute is about."""
        path = routes.GET_DISPUTE.path.format(dispute=dispute)
        return decode_json(await self._send(routes.GET_DISPUTE, None, path=path), EvidenceView)

    async def evidence_picture(self, dispute: int, digest: bytes) -> bytes:
        """Read one of its pictures, by its sha256."""
        return await self._shown(routes.DISPUTE_PICTURE, dispute, digest)

    async def evidence_input(self, dispute: int, digest: bytes) -> bytes:
        """Read something that the disputed result was made from, by its sha256."""
        return await self._shown(routes.DISPUTE_INPUT, dispute, digest)

    async def _shown(self, route: Route, dispute: int, digest: bytes) -> bytes:
        """Read a piece of evidence; who judges says so only where it is withheld from others."""
        path = route.path.format(dispute=dispute, sha256=digest.hex())
        try:
            return await self._send(route, None, path=path, limit=PICTURE_MAX_BYTES)
        except TakenDown:
            if self._passes is None:
                raise
            shown = self._passes(dispute, digest)
            return await self._send(route, None, path=path, limit=PICTURE_MAX_BYTES, authorization=shown)

    async def file_evidence(self, dispute: int, evidence: EvidenceUpload) -> None:
        """Show jurors a task that they find no evidence of here."""
        path = routes.FILE_EVIDENCE.path.format(dispute=dispute)
        await self._send(routes.FILE_EVIDENCE, encode_binary(evidence), path=path)

    async def _send(
        self,
        route: Route,
        body: bytes | None,
        token: str = "",
        path: str = "",
        *,
        limit: int = ANSWER_MAX_BYTES,
        authorization: str = "",
    ) -> bytes:
        headers = _bearer(token) if token else {}
        if authorization:
            headers["Authorization"] = authorization
        if body is not None:
            headers["Content-Type"] = "application/msgpack" if route.binary else "application/json"
        answer = await self._http.call(
            route.method,
            path or route.path,
            body=body,
            headers=headers,
            timeout_s=UPLOAD_S if route.binary else POLL_S / 2,
            limit=limit,
        )
        if answer is None:
            raise PeerFault(f"call {route.method} {self._http.origin}{route.path}: the answer is empty")
        return answer


def _bearer(token: str) -> dict[str, str]:
    return {"Authorization": f"Bearer {token}"}


def _path(route: Route, task_id: TaskId, attempt: int) -> str:
    return route.path.format(task=task_id, attempt=attempt)
