"""An app's calls to its coordinator: submit, watch, fetch."""

from collections.abc import AsyncIterator, Mapping
from typing import Self, TypeVar

import aiohttp
import msgspec

from cuckoo.client.http import Http, fault, read_bounded
from cuckoo.domain.errors import CoordinatorUnreachable, PeerFault
from cuckoo.domain.identifiers import TaskId
from cuckoo.protocol import routes
from cuckoo.protocol.messages import ReceiptView, TaskRequest, TaskView, decode_json
from cuckoo.protocol.routes import Route
from cuckoo.protocol.views import DrawsView, MinerList, ModelList, NetworkView, TaskEvent

T = TypeVar("T")
EVENT_LIMIT_BYTES = 4 * 2**20
SILENCE_S = 60.0


class AppClient:
    """HTTP calls to one coordinator. All raise CoordinatorUnreachable, or the PeerFault that was answered."""

    def __init__(self, origin: str, *, api_key: str = "") -> None:
        """Bind to a coordinator's origin; ``api_key`` where it asks for one."""
        self._http = Http(origin, strangers=False)
        self._key = api_key

    async def __aenter__(self) -> Self:
        """Return itself."""
        return self

    async def __aexit__(self, *_: object) -> None:
        """Close all connections."""
        await self._http.close()

    async def submit(self, request: TaskRequest, *, idempotency_key: str = "") -> TaskView:
        """Submit a task; with a key, a repeat returns the same task."""
        headers = {"Idempotency-Key": idempotency_key} if idempotency_key else None
        return await self._get(routes.SUBMIT_TASK, TaskView, body=request, headers=headers)

    async def task(self, task_id: TaskId) -> TaskView:
        """Read a task."""
        return await self._get(routes.GET_TASK, TaskView, path={"task": task_id})

    async def cancel(self, task_id: TaskId) -> TaskView:
        """Cancel a task; one that is over stays as it is."""
        return await self._get(routes.CANCEL_TASK, TaskView, path={"task": task_id})

    async def events(self, task_id: TaskId) -> AsyncIterator[TaskEvent]:
        """Follow a task until it is over."""
        path = routes.TASK_EVENTS.path.format(task=task_id)
        timeout = aiohttp.ClientTimeout(total=None, sock_connect=10.0, sock_read=SILENCE_S)
        headers = {"Accept": "text/event-stream"} | ({"Authorization": f"Bearer {self._key}"} if self._key else {})
        doing = f"follow task {task_id}"
        try:
            async with self._http.session.get(
                self._http.origin + path, headers=headers, timeout=timeout, allow_redirects=False
            ) as response:
                if response.status != 200:
                    raise fault(response.status, await read_bounded(response, doing), doing)
                async for data in _event_data(response, doing):
                    event = decode_json(data, TaskEvent)
                    yield event
                    if event.kind.final:
                        return
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            raise CoordinatorUnreachable(f"{doing}: {str(error) or type(error).__name__}") from error
        raise CoordinatorUnreachable(f"{doing}: the coordinator ended the stream before the task was over")

    async def picture(self, task_id: TaskId, index: int) -> bytes:
        """Fetch a picture as a PNG file."""
        path = routes.TASK_PICTURE.path.format(task=task_id, index=index)
        body, _ = await self._http.raw("GET", path, token=self._key)
        return body

    async def receipt(self, task_id: TaskId) -> ReceiptView:
        """Read who made the pictures, and how."""
        return await self._get(routes.TASK_RECEIPT, ReceiptView, path={"task": task_id})

    async def models(self) -> ModelList:
        """Read which models tasks may name."""
        return await self._get(routes.LIST_MODELS, ModelList)

    async def network(self) -> NetworkView:
        """Read what this coordinator is."""
        return await self._get(routes.GET_NETWORK, NetworkView)

    async def miners(self) -> MinerList:
        """Read the registered miners, with what they did here."""
        return await self._get(routes.LIST_MINERS, MinerList)

    async def draws(self, period: int) -> DrawsView:
        """Read the public log of a closed draw period."""
        return await self._get(routes.GET_DRAWS, DrawsView, path={"period": period})

    async def _get(
        self,
        route: Route,
        reply: type[T],
        *,
        body: msgspec.Struct | None = None,
        headers: dict[str, str] | None = None,
        path: Mapping[str, object] | None = None,
    ) -> T:
        answer = await self._http.call(route, reply, body=body, token=self._key, headers=headers, path=path)
        if answer is None:
            raise PeerFault(f"{route.name}: the coordinator's answer is empty")
        return answer


async def _event_data(response: aiohttp.ClientResponse, doing: str) -> AsyncIterator[bytes]:
    """Split a stream of server-sent events into the data of each.

    Source: HTML Living Standard, "Interpreting an event stream".
    """
    pending = b""
    data: list[bytes] = []
    async for part in response.content.iter_any():
        pending += part
        if len(pending) + sum(len(line) for line in data) > EVENT_LIMIT_BYTES:
            raise PeerFault(f"{doing}: an event is longer than {EVENT_LIMIT_BYTES:,} bytes")
        *lines, pending = pending.replace(b"\r\n", b"\n").split(b"\n")
        for line in lines:
            if line.startswith(b"data:"):
                data.append(line[5:].removeprefix(b" "))
            elif not line and data:
                yield b"\n".join(data)
                data = []
