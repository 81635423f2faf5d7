"""A miner's calls to one coordinator."""

from typing import TypeVar

from cuckoo.client.http import Http
from cuckoo.domain.errors import PeerFault
from cuckoo.domain.identifiers import TaskId
from cuckoo.protocol import routes
from cuckoo.protocol.messages import (
    Accepted,
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
)

T = TypeVar("T")
POLL_TIMEOUT_S = 40.0
UPLOAD_TIMEOUT_S = 120.0


class CoordinatorClient:
    """HTTP calls to one coordinator. All raise CoordinatorUnreachable, or the PeerFault that was answered."""

    def __init__(self, origin: str) -> None:
        """Bind to an origin as the coordinator's introduction names it."""
        self._http = Http(origin, strangers=True)

    async def sign_in(self, request: SignInRequest) -> SignInOffer:
        """Ask to sign in."""
        return _there(await self._http.call(routes.SIGN_IN, SignInOffer, body=request))

    async def open_session(self, proof: SignInProof) -> Session:
        """Prove to be the miner."""
        return _there(await self._http.call(routes.OPEN_SESSION, Session, body=proof))

    async def sign_out(self, token: str) -> None:
        """End a session: what is assigned and unfinished goes to others."""
        await self._http.call(routes.SIGN_OUT, Accepted, token=token, timeout_s=5.0)

    async def poll(self, token: str, poll: Poll) -> SignedAssignment | None:
        """Offer a slot; None when the long poll ended without an assignment."""
        return await self._http.call(routes.POLL, SignedAssignment, body=poll, token=token, timeout_s=POLL_TIMEOUT_S)

    async def progress(self, token: str, task_id: TaskId, attempt: int, progress: Progress) -> ProgressReply:
        """Report a step."""
        return _there(
            await self._http.call(
                routes.PROGRESS,
                ProgressReply,
                body=progress,
                token=token,
                timeout_s=15.0,
                path={"task": task_id, "attempt": attempt},
            ),
        )

    async def submit(self, token: str, task_id: TaskId, attempt: int, upload: ResultUpload) -> SubmitReply:
        """Upload a result."""
        return _there(
            await self._http.call(
                routes.RESULT,
                SubmitReply,
                body=upload,
                token=token,
                timeout_s=UPLOAD_TIMEOUT_S,
                path={"task": task_id, "attempt": attempt},
            ),
        )

    async def fail(self, token: str, task_id: TaskId, attempt: int, failure: Failure) -> None:
        """Report that an attempt failed."""
        await self._http.call(
            routes.FAILURE, Accepted, body=failure, token=token, path={"task": task_id, "attempt": attempt}
        )

    async def close(self) -> None:
        """Close its connections."""
        await self._http.close()


def _there(reply: T | None) -> T:
    if reply is None:
        raise PeerFault("read the coordinator's answer: it is empty where a reply belongs")
    return reply
