"""One device's child process as its parent sees it: started, spoken to, restarted when it dies."""

import asyncio
import contextlib
from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Protocol

import structlog

from cuckoo.inference.messages import (
    Batch,
    Cancel,
    Cancelled,
    Failed,
    Finished,
    FrameInvalid,
    Load,
    Loaded,
    LoadFailed,
    Progress,
    Ready,
    Replay,
    Replayed,
    Run,
    Shutdown,
    ToChild,
    ToParent,
    body_length,
    for_parent,
    frame,
)
from cuckoo.inference.models import Model

log = structlog.get_logger(__name__)

_LAST_WORDS = 20
_SPEED_MEMORY = 0.8
_EXIT_S = 5.0


@dataclass(frozen=True)
class ChildPlan:
    """How one child is started; see :class:`cuckoo.inference.pool.PoolOptions` for the meaning."""

    device: str
    models: tuple[Model, ...]
    command: tuple[str, ...]
    environment: Mapping[str, str]
    digest_cache: str
    overlap: bool
    dtype: str
    attention: str
    restarts: int
    backoff_s: float
    backoff_max_s: float


class Owner(Protocol):
    """Who hears what a child reports: the pool."""

    def child_changed(self) -> None:
        """A child became free, or what it has loaded has changed."""

    def child_progressed(self, progress: Progress) -> None:
        """One step of a job is done."""

    def child_answered(self, answer: Finished | Replayed | Failed | Cancelled) -> None:
        """A job has ended."""

    def child_died(self, jobs: Sequence[str], why: str) -> None:
        """The process is gone, and these jobs with it; it will be started again."""

    def child_given_up(self, why: str, *, fatal: bool) -> None:
        """The child will not be started again; ``fatal`` when another one would meet the same fault."""


class Child:
    """Keeps one worker process alive and relays its answers.

    Attributes:
        device: what it runs on.
        loaded: by digest, the models in its memory.
        speed: by digest, seconds per pixel and step: the warm-up's, then a running mean over jobs.
        given_up: it will not be started again.
        closing: it is meant to end.
    """

    def __init__(self, plan: ChildPlan, owner: Owner) -> None:
        """Plan a child; :meth:`start` starts it."""
        self.device = plan.device
        self.loaded: dict[str, Loaded] = {}
        self.speed: dict[str, float] = {}
        self.given_up = False
        self._plan = plan
        self._owner = owner
        self._process: asyncio.subprocess.Process | None = None
        self._keeper: asyncio.Task[None] | None = None
        self._jobs: dict[str, Run | Replay] = {}
        self._busy_with: frozenset[str] = frozenset()
        self._deaths = 0
        self.closing = False
        self._words: deque[str] = deque(maxlen=_LAST_WORDS)

    @property
    def complete(self) -> bool:
        """Whether every model is in its memory."""
        return len(self.loaded) == len(self._plan.models)

    @property
    def free(self) -> bool:
        """Whether it asks for jobs: it has none, or the last step of what it has is running."""
        return self.complete and not self._busy_with and not self.closing

    @property
    def pid(self) -> int | None:
        """The process id while one runs."""
        return self._process.pid if self._process and self._process.returncode is None else None

    def start(self) -> None:
        """Start the process, and start it again whenever it dies, within limits."""
        self._keeper = asyncio.create_task(self._keep(), name=f"worker {self.device}")

    def run(self, work: Batch | Replay) -> None:
        """Send jobs; the child must be free."""
        jobs = work.runs if isinstance(work, Batch) else (work,)
        self._jobs |= {job.job_id: job for job in jobs}
        self._busy_with = frozenset(job.job_id for job in jobs)
        self._say(work)

    def cancel(self, job_id: str) -> None:
        """Ask for a job to be stopped within one step."""
        self._say(Cancel(job_id=job_id))

    async def close(self, grace_s: float) -> None:
        """Let the process end by itself within ``grace_s``, then kill it."""
        self.closing = True
        self._say(Shutdown())
        process = self._process
        if process is not None and process.returncode is None:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(grace_s):
                    await process.wait()
            if process.returncode is None:
                process.kill()
        if self._keeper is not None:
            if process is None:
                self._keeper.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await self._keeper

    async def _keep(self) -> None:
        """Run one process after the other until closed or given up."""
        while True:
            why = await self._live()
            jobs, self._jobs, self._busy_with = list(self._jobs), {}, frozenset()
            self.loaded = {}
            if self.closing:
                return
            self._deaths += 1
            self._owner.child_died(jobs, why)
            if self.given_up:
                return
            if self._deaths > self._plan.restarts:
                self.given_up = True
                self._owner.child_given_up(f"{why}; given up after {self._deaths} deaths in a row", fatal=False)
                return
            wait_s = min(self._plan.backoff_max_s, self._plan.backoff_s * 2 ** (self._deaths - 1))
            log.warning("worker_died", device=self.device, why=why, restart_in_s=wait_s, jobs=jobs)
            await asyncio.sleep(wait_s)

    async def _live(self) -> str:
        """Start a process, serve it to its end, and return why it ended."""
        self._words.clear()
        try:
            process = await asyncio.create_subprocess_exec(
                *self._plan.command,
                stdin=asyncio.subprocess.PIPE,
                stdout=asyncio.subprocess.PIPE,
                stderr=asyncio.subprocess.PIPE,
                env=dict(self._plan.environment),
                limit=1 << 20,
            )
        except OSError as error:
            return f"starting the worker of {self.device}: {error}"
        self._process = process
        if process.stdout is None or process.stderr is None:
            return f"starting the worker of {self.device}: no pipes"
        for model in self._plan.models:
            plan = self._plan
            self._say(
                Load(
                    model=model,
                    device=self.device,
                    digest_cache=plan.digest_cache,
                    overlap=plan.overlap,
                    dtype=plan.dtype,
                    attention=plan.attention,
                )
            )
        words = asyncio.create_task(self._hear(process.stderr))
        try:
            await self._serve(process.stdout)
            with contextlib.suppress(TimeoutError):  # its pipe is closed: it is about to end by itself
                async with asyncio.timeout(_EXIT_S):
                    await process.wait()
        except FrameInvalid as error:
            self._words.append(str(error))
        finally:
            if process.returncode is None:  # it hangs, or this task is cancelled: a child must not outlive its keeper
                process.kill()
            await process.wait()
            await words
            self._process = None
        last = f": {self._words[-1]}" if self._words else ""
        return f"the worker of {self.device} ended with code {process.returncode}{last}"

    async def _serve(self, answers: asyncio.StreamReader) -> None:
        try:
            while True:
                body = await answers.readexactly(body_length(await answers.readexactly(4)))
                self._take(for_parent(body))
        except asyncio.IncompleteReadError:
            return

    async def _hear(self, errors: asyncio.StreamReader) -> None:
        """Keep the last lines a child wrote to standard error; they explain its death."""
        while line := await errors.readline():
            text = line.decode(errors="replace").rstrip()
            if text:
                self._words.append(text)
                log.debug("worker_said", device=self.device, line=text)

    def _take(self, answer: ToParent) -> None:
        if isinstance(answer, Progress):
            self._owner.child_progressed(answer)
        elif isinstance(answer, Ready):
            if answer.job_id in self._busy_with:
                self._ready()
        elif isinstance(answer, Loaded):
            self.loaded[answer.digest] = answer
            self.speed[answer.digest] = answer.pixel_step_s
            log.info("model_loaded", device=self.device, digest=answer.digest, pixel_step_s=answer.pixel_step_s)
            self._owner.child_changed()
        elif isinstance(answer, LoadFailed):
            self.given_up = True
            self._owner.child_given_up(f"loading a model: {answer.message}", fatal=True)
        else:
            run = self._jobs.pop(answer.job_id, None)
            if isinstance(run, Run) and isinstance(answer, Finished):
                self._deaths = 0
                self._learn(run, answer)
            self._owner.child_answered(answer)
            if answer.job_id in self._busy_with and self._busy_with.isdisjoint(self._jobs):
                self._ready()

    def _ready(self) -> None:
        self._busy_with = frozenset()
        self._owner.child_changed()

    def _learn(self, run: Run, finished: Finished) -> None:
        """Let the speed follow what jobs really take, encoding and text included."""
        if run.parameters.pixel_steps:
            seen = sum(finished.step_s) / run.parameters.pixel_steps
            digest = run.parameters.model_digest
            self.speed[digest] = _SPEED_MEMORY * self.speed[digest] + (1 - _SPEED_MEMORY) * seen

    def _say(self, message: ToChild) -> None:
        """Write to the child; one that is gone is noticed by its keeper."""
        if self._process is not None and self._process.stdin is not None and not self._process.stdin.is_closing():
            self._process.stdin.write(frame(message))
