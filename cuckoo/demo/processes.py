"""The demo's own processes: each in a session of its own, and none outlives the demo."""

import asyncio
import os
import signal
import sys
from collections.abc import Awaitable, Mapping, Sequence
from pathlib import Path
from types import TracebackType
from typing import Self, TypeVar

from cuckoo.domain.errors import FatalError

T = TypeVar("T")

STOP_TIMEOUT_S = 8.0
_TAIL_LINES = 12


class Processes:
    """Starts ``cuckoo`` commands and stops them all, in reverse order, however the demo ends.

    Each is on a leash: it ends when its standard input closes, which the kernel does when this process dies.
    """

    def __init__(self, folder: Path, environ: Mapping[str, str]) -> None:
        """Write their logs into ``folder``; run them with ``environ``."""
        self._folder = folder
        self._environ = environ
        self._running: dict[str, asyncio.subprocess.Process] = {}
        self._stopped: set[str] = set()

    async def __aenter__(self) -> Self:
        """Start with none."""
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Stop all."""
        await self.stop()

    def log_file(self, name: str) -> Path:
        """Return where a process writes what it logs."""
        return self._folder / f"{name}.log"

    async def start(self, name: str, arguments: Sequence[str], **environ: str) -> None:
        """Start ``cuckoo ARGUMENTS`` under a name of ours, with more in its environment."""
        with self.log_file(name).open("ab") as log:
            self._running[name] = await asyncio.create_subprocess_exec(
                *(sys.executable, "-m", "cuckoo", "--leash", *arguments),
                stdin=asyncio.subprocess.PIPE,
                stdout=log,
                stderr=log,
                env={**self._environ, **environ},
                start_new_session=True,
            )

    async def guard(self, work: Awaitable[T]) -> T:
        """Do some work while all processes live.

        Raises:
            FatalError: one of them ended; shows the end of its log.
        """
        task = asyncio.ensure_future(work)
        ends = {asyncio.ensure_future(process.wait()): name for name, process in self._running.items()}
        either: set[asyncio.Future[T] | asyncio.Future[int]] = {task, *ends}
        try:
            while True:
                await asyncio.wait({task, *ends}, return_when=asyncio.FIRST_COMPLETED)
                if task.done():
                    return task.result()
                for end in [end for end in ends if end.done()]:
                    name = ends.pop(end)
                    if name not in self._stopped:
                        raise FatalError(f"run the demo: its {name} ended by itself:\n{self._tail(name)}")
        finally:
            for one in either:
                one.cancel()
            await asyncio.gather(*either, return_exceptions=True)

    def _tail(self, name: str) -> str:
        lines = self.log_file(name).read_text(encoding="utf-8", errors="replace").splitlines()
        return "\n".join(f"  {line}" for line in lines[-_TAIL_LINES:])

    async def stop_one(self, name: str) -> None:
        """End one."""
        self._stopped.add(name)
        await self._end([self._running.pop(name)])

    async def stop(self) -> None:
        """End all, the last started first; those that do not go by themselves are killed with their children."""
        later = [process for name, process in reversed(self._running.items()) if name != "devnet"]
        await self._end(later)
        await self._end([process for name, process in self._running.items() if name == "devnet"])
        self._running.clear()

    async def _end(self, processes: Sequence[asyncio.subprocess.Process]) -> None:
        waits = []
        for process in processes:
            if process.returncode is None:
                process.terminate()
            waits.append(asyncio.ensure_future(process.wait()))
        if waits:
            await asyncio.wait(waits, timeout=STOP_TIMEOUT_S)
        for process in processes:
            # The whole session: a child that lost its parent is in there, too.
            try:
                os.killpg(process.pid, signal.SIGKILL)
            except ProcessLookupError:
                continue
        await asyncio.gather(*waits)
