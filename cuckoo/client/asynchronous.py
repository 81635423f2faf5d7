"""The client for programs that use asyncio."""

import base64
from collections.abc import AsyncGenerator, Iterable, Mapping
from pathlib import Path
from types import TracebackType
from typing import Any, Self, TypedDict, Unpack

from cuckoo.client.app import AppClient
from cuckoo.client.asking import Listener, ask, fetch
from cuckoo.client.pictures import Pictures
from cuckoo.domain.errors import ConfigError
from cuckoo.domain.identifiers import TaskId
from cuckoo.protocol.messages import BatchRequest, LoraWish, TaskRequest, TaskView
from cuckoo.protocol.views import ModelView, NetworkView, TaskEvent

ORIGIN = "http://127.0.0.1:8080"
"""Where a coordinator listens that was told nothing else."""


class Wishes(TypedDict, total=False):
    """What may be asked for besides the prompt; what is left out is the model's own.

    ``source`` and ``mask`` are picture files: their bytes, or where they lie. ``loras``: weights by name or digest.
    """

    model: str
    negative_prompt: str
    width_px: int | None
    height_px: int | None
    pictures: int
    steps: int | None
    guidance: float | None
    scheduler: str
    seed: int | None
    source: bytes | Path
    mask: bytes | Path
    strength: float | None
    loras: Mapping[str, float]
    reproducible: bool


class AsyncCuckoo:
    """A coordinator, from inside a running event loop.

    ::

        async with AsyncCuckoo("http://127.0.0.1:8080") as cuckoo:
            made = await cuckoo.generate("a red apple", seed=7)
            made.save("apple.png")

    Every method raises CoordinatorUnreachable when there is no answer, or the PeerFault that was answered: InvalidField
    names the field and the limit, Overloaded and LimitReached say in ``retry_after_s`` when to come back, KeyRefused
    says that an API key is needed or not valid. All are in :mod:`cuckoo.client` and are CuckooErrors.

    Attributes:
        api: every single call of the API.
    """

    def __init__(self, origin: str = ORIGIN, *, api_key: str | None = None) -> None:
        """Name the coordinator; nothing is opened before the first call.

        Args:
            origin: ``https://host[:port]``, or ``http://`` on this machine.
            api_key: sent with every call; None where none is needed.

        Raises:
            ConfigError: it is no such address, or no such key.
        """
        self.api = AppClient(origin, api_key=api_key)

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        await self.close()

    async def close(self) -> None:
        """Close all connections; tasks go on."""
        await self.api.close()

    async def generate(
        self, prompt: str | TaskRequest, *, listener: Listener | None = None, **wishes: Unpack[Wishes]
    ) -> Pictures:
        """Ask for pictures, wait for them and check their receipt; when this is cancelled, so is the task.

        Args:
            prompt: what to draw, or the whole request.
            listener: called with every event of the task.
            **wishes: fields of :class:`Wishes`.

        Raises:
            TaskFailed: the network could not make them; says why.
            SignatureInvalid: the receipt is not by the miner that was drawn, or for other pictures.
        """
        return await ask(self.api, request_of(prompt, wishes), listener or _nobody)

    async def submit(
        self, prompt: str | TaskRequest, *, idempotency_key: str | None = None, **wishes: Unpack[Wishes]
    ) -> TaskView:
        """Ask for pictures and do not wait; ``wait`` gets them, also from another process.

        Args:
            prompt: what to draw, or the whole request.
            idempotency_key: send the same one when trying again, and there will be one task only.
            **wishes: fields of :class:`Wishes`.
        """
        return await self.api.submit(request_of(prompt, wishes), idempotency_key=idempotency_key)

    async def submit_all(
        self,
        prompts: Iterable[str | TaskRequest],
        *,
        idempotency_key: str | None = None,
        **wishes: Unpack[Wishes],
    ) -> tuple[TaskView, ...]:
        """Ask for up to 100 things at once: all become tasks, in this order, or none does; else as ``submit``."""
        batch = BatchRequest(tasks=tuple(request_of(prompt, wishes) for prompt in prompts))
        return (await self.api.submit_batch(batch, idempotency_key=idempotency_key)).tasks

    async def wait(self, task: TaskView | str, *, listener: Listener | None = None) -> Pictures:
        """Wait for the pictures of a task that was submitted; errors as for ``generate``, but nothing is cancelled."""
        return await fetch(self.api, id_of(task), listener or _nobody)

    def events(self, task: TaskView | str) -> AsyncGenerator[TaskEvent, None]:
        """Follow a task to its end: queued, drawn, progress with previews, done, failed or cancelled."""
        return self.api.events(id_of(task))

    async def get(self, task: TaskView | str) -> TaskView:
        """Read how a task stands."""
        return await self.api.get(id_of(task))

    async def cancel(self, task: TaskView | str) -> TaskView:
        """Take a task back; its miner stops within a step. One that is over stays as it is."""
        return await self.api.cancel(id_of(task))

    async def models(self) -> tuple[ModelView, ...]:
        """Read which models may be named, and their defaults."""
        return (await self.api.models()).data

    async def network(self) -> NetworkView:
        """Read which network this is, and how busy its coordinator."""
        return await self.api.network()


def _nobody(_event: TaskEvent) -> None:
    pass


def request_of(prompt: str | TaskRequest, wishes: Wishes) -> TaskRequest:
    """Put a request together; raises TypeError for wishes that there are none of, or beside a whole request."""
    if isinstance(prompt, TaskRequest):
        if wishes:
            raise TypeError("a whole TaskRequest has all wishes in it")
        return prompt
    fields: dict[str, Any] = dict(wishes)
    fields |= {name: encoded_file(fields[name]) for name in ("source", "mask") if name in fields}
    if "loras" in fields:
        fields["loras"] = tuple(LoraWish(lora=name, weight=weight) for name, weight in fields["loras"].items())
    return TaskRequest(prompt=prompt, **fields)


def encoded_file(file: bytes | Path) -> str:
    """Return a picture file in base64; raises ConfigError where it can not be read."""
    try:
        content = file if isinstance(file, bytes) else file.read_bytes()
    except OSError as error:
        raise ConfigError(f"read {file!s}: {error.strerror}") from None
    return base64.b64encode(content).decode()


def id_of(task: TaskView | str) -> TaskId:
    """Return the id of a task."""
    return task.task_id if isinstance(task, TaskView) else TaskId(task)
