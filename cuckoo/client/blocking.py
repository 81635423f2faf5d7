"""The client for programs without an event loop: the other one, in a thread of its own."""

import asyncio
import threading
from collections.abc import Awaitable, Iterable, Iterator
from types import TracebackType
from typing import Self, TypeVar, Unpack

from cuckoo.client.asking import Listener
from cuckoo.client.asynchronous import ORIGIN, AsyncCuckoo, Wishes
from cuckoo.client.pictures import Pictures
from cuckoo.protocol.messages import TaskRequest, TaskView
from cuckoo.protocol.views import ModelView, NetworkView, TaskEvent

T = TypeVar("T")

GOODBYE_S = 5.0
"""How long whoever interrupts a call waits for its task to be cancelled."""


class Cuckoo:
    """A coordinator.

    ::

        with Cuckoo("http://127.0.0.1:8080") as cuckoo:
            made = cuckoo.generate("a red apple", seed=7)
            made.save("apple.png")

    Methods, arguments and errors are those of :class:`AsyncCuckoo`. Several threads may use one; a listener is called
    in the client's own thread. ``close`` it, or use it in a ``with``.
    """

    def __init__(self, origin: str = ORIGIN, *, api_key: str | None = None) -> None:
        """Name the coordinator; arguments and errors as for :class:`AsyncCuckoo`."""
        self._inner = AsyncCuckoo(origin, api_key=api_key)
        self._loop = asyncio.new_event_loop()
        self._thread = threading.Thread(target=self._loop.run_forever, name="cuckoo client", daemon=True)
        self._thread.start()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close all connections; tasks go on. Closing again does nothing."""
        if self._loop.is_closed():
            return
        self._run(self._inner.close())
        self._loop.call_soon_threadsafe(self._loop.stop)
        self._thread.join()
        self._loop.close()

    def generate(
        self, prompt: str | TaskRequest, *, listener: Listener | None = None, **wishes: Unpack[Wishes]
    ) -> Pictures:
        """Ask for pictures, wait for them and check their receipt; Ctrl-C cancels the task."""
        return self._run(self._inner.generate(prompt, listener=listener, **wishes))

    def submit(
        self, prompt: str | TaskRequest, *, idempotency_key: str | None = None, **wishes: Unpack[Wishes]
    ) -> TaskView:
        """Ask for pictures and do not wait."""
        return self._run(self._inner.submit(prompt, idempotency_key=idempotency_key, **wishes))

    def submit_all(
        self,
        prompts: Iterable[str | TaskRequest],
        *,
        idempotency_key: str | None = None,
        **wishes: Unpack[Wishes],
    ) -> tuple[TaskView, ...]:
        """Ask for up to 100 things at once: all become tasks, or none does."""
        return self._run(self._inner.submit_all(prompts, idempotency_key=idempotency_key, **wishes))

    def wait(self, task: TaskView | str, *, listener: Listener | None = None) -> Pictures:
        """Wait for the pictures of a task that was submitted."""
        return self._run(self._inner.wait(task, listener=listener))

    def events(self, task: TaskView | str) -> Iterator[TaskEvent]:
        """Follow a task to its end; whoever stops before closes the iterator."""
        stream = self._inner.events(task)
        try:
            while (event := self._run(anext(stream, None))) is not None:
                yield event
        finally:
            self._run(stream.aclose())

    def get(self, task: TaskView | str) -> TaskView:
        """Read how a task stands."""
        return self._run(self._inner.get(task))

    def cancel(self, task: TaskView | str) -> TaskView:
        """Take a task back; one that is over stays as it is."""
        return self._run(self._inner.cancel(task))

    def models(self) -> tuple[ModelView, ...]:
        """Read which models may be named, and their defaults."""
        return self._run(self._inner.models())

    def network(self) -> NetworkView:
        """Read which network this is, and how busy its coordinator."""
        return self._run(self._inner.network())

    def _run(self, work: Awaitable[T]) -> T:
        """Do something in the client's thread; what interrupts the wait cancels it, and waits for it to end."""
        ended = threading.Event()

        async def whole() -> T:
            try:
                return await work
            finally:
                ended.set()

        running = asyncio.run_coroutine_threadsafe(whole(), self._loop)
        try:
            return running.result()
        except BaseException:
            if running.cancel():
                ended.wait(GOODBYE_S)
            raise
