"""What an app calls at a coordinator."""

import asyncio
import random
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import aclosing
from types import TracebackType
from typing import Self

import msgspec

from cuckoo.client.http import PICTURE_MAX_BYTES, Allowed, Http
from cuckoo.domain.errors import ConfigError, CoordinatorUnreachable, PeerFault
from cuckoo.domain.identifiers import TaskId
from cuckoo.protocol import routes
from cuckoo.protocol.market import DemandView
from cuckoo.protocol.messages import (
    BatchRequest,
    BatchView,
    ReceiptView,
    TaskRequest,
    TaskView,
    decode_json,
    encode_json,
)
from cuckoo.protocol.routes import Route
from cuckoo.protocol.views import DrawsView, MinerList, ModelList, NetworkView, TaskEvent
from cuckoo.runtime.retry import backoff_s

SILENCE_S = 45.0
"""The server sends a comment every 15 s; after three without one the connection counts as dead."""

RECONNECTS = 8
DRAWS_MAX_BYTES = 2**28


class AppClient:
    """Calls to one coordinator's public API.

    Every method raises CoordinatorUnreachable when there is no answer, or the PeerFault that was answered: InvalidField
    names the field and the limit, Overloaded and LimitReached say after how many seconds to come back, KeyRefused says
    that an API key is needed or not valid.
    """

    def __init__(self, url: str, *, api_key: str | None = None, allowed: Allowed | None = None) -> None:
        """Name the coordinator.

        Args:
            url: ``https://host[:port]``, or ``http://`` on loopback.
            api_key: sent with every call; None where none is needed.
            allowed: which addresses may be connected to; None for all.

        Raises:
            ConfigError: the address is none, or the key has characters that no key has.
        """
        if api_key is not None and not (api_key.isascii() and api_key.isprintable() and " " not in api_key):
            raise ConfigError("call a coordinator: the API key has characters that no key has: copy it again")
        headers = None if api_key is None else {"Authorization": f"Bearer {api_key}"}
        self._http = Http(url, allowed=allowed, headers=headers)

    async def __aenter__(self) -> Self:
        """Return the client itself."""
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close all connections."""
        await self.close()

    async def close(self) -> None:
        """Close all connections."""
        await self._http.close()

    async def submit(self, request: TaskRequest, *, idempotency_key: str | None = None) -> TaskView:
        """Ask for pictures.

        Args:
            request: what for.
            idempotency_key: send the same one when trying again, and there will be one task only.
        """
        return decode_json(await self._send(routes.SUBMIT_TASK, request, idempotency_key), TaskView)

    async def submit_batch(self, request: BatchRequest, *, idempotency_key: str | None = None) -> BatchView:
        """Ask for several things at once: all become tasks, or none does; the arguments as for ``submit``."""
        return decode_json(await self._send(routes.SUBMIT_BATCH, request, idempotency_key), BatchView)

    async def _send(self, route: Route, request: msgspec.Struct, idempotency_key: str | None) -> bytes:
        headers = {"Content-Type": "application/json"}
        if idempotency_key is not None:
            headers["Idempotency-Key"] = idempotency_key
        return _there(await self._http.call(route.method, route.path, body=encode_json(request), headers=headers))

    async def get(self, task_id: TaskId) -> TaskView:
        """Read a task."""
        return decode_json(await self._read(routes.GET_TASK, task=task_id), TaskView)

    async def cancel(self, task_id: TaskId) -> TaskView:
        """Take a task back; one that is over stays as it is."""
        return decode_json(await self._read(routes.CANCEL_TASK, task=task_id), TaskView)

    async def events(self, task_id: TaskId) -> AsyncGenerator[TaskEvent, None]:
        """Follow a task to its end; a connection that breaks is opened again, and the state then comes once more."""
        failures = 0
        while True:
            ended = CoordinatorUnreachable(f"follow task {task_id}: the stream ended before the task did")
            try:
                async with aclosing(self._stream(task_id)) as stream:
                    async for event in stream:
                        failures = 0
                        yield event
                        if event.kind.final:
                            return
            except CoordinatorUnreachable as error:
                ended = error
            failures += 1
            if failures > RECONNECTS:
                raise ended
            await asyncio.sleep(backoff_s(failures, cap_s=10.0, draw=random.random))

    async def _stream(self, task_id: TaskId) -> AsyncGenerator[TaskEvent, None]:
        path = routes.TASK_EVENTS.path.format(task=task_id)
        async with self._http.answer("GET", path, timeout_s=None, silence_s=SILENCE_S) as response:
            data = b""
            while line := await _line(response.content.readline):
                if line.startswith(b"data: "):
                    data += line[6:].rstrip(b"\n")
                elif line == b"\n" and data:
                    yield decode_json(data, TaskEvent)
                    data = b""

    async def picture(self, task_id: TaskId, index: int) -> bytes:
        """Read a picture: a PNG file."""
        return await self._read(routes.TASK_PICTURE, limit=PICTURE_MAX_BYTES, task=task_id, index=f"{index}.png")

    async def receipt(self, task_id: TaskId) -> ReceiptView:
        """Read who made a task's pictures, and how."""
        return decode_json(await self._read(routes.TASK_RECEIPT, task=task_id), ReceiptView)

    async def models(self) -> ModelList:
        """Read which models tasks may name."""
        return decode_json(await self._read(routes.LIST_MODELS), ModelList)

    async def network(self) -> NetworkView:
        """Read which network this is, and how busy the coordinator."""
        return decode_json(await self._read(routes.GET_NETWORK), NetworkView)

    async def miners(self, *, after: int = 0, limit: int = 1_000) -> MinerList:
        """Read a page of miners."""
        path = f"{routes.LIST_MINERS.path}?after={after}&limit={limit}"
        return decode_json(_there(await self._http.call("GET", path, limit=PICTURE_MAX_BYTES)), MinerList)

    async def demand(self) -> DemandView:
        """Read which models apps asked for."""
        return decode_json(await self._read(routes.GET_DEMAND), DemandView)

    async def draws(self, period: int) -> DrawsView:
        """Read the draws of a closed period."""
        return decode_json(await self._read(routes.GET_DRAWS, limit=DRAWS_MAX_BYTES, period=str(period)), DrawsView)

    async def ready(self) -> bool:
        """Ask whether tasks are taken and drawn for."""
        try:
            await self._read(routes.READYZ)
        except (CoordinatorUnreachable, PeerFault):
            return False
        return True

    async def _read(self, route: Route, *, limit: int | None = None, **fields: str) -> bytes:
        path = route.path.format(**fields)
        if limit is None:
            return _there(await self._http.call(route.method, path))
        return _there(await self._http.call(route.method, path, limit=limit))


async def _line(readline: Callable[[], Awaitable[bytes]]) -> bytes:
    try:
        return await readline()
    except ValueError as error:
        raise PeerFault(f"read an event: {error}") from None


def _there(body: bytes | None) -> bytes:
    if body is None:
        raise PeerFault("read an answer of the coordinator: it is empty")
    return body
