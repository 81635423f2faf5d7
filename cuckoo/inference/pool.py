"""The worker pool: one child process per device, jobs handed out in order of arrival. Never imports torch."""

import asyncio
import os
import sys
from collections import deque
from collections.abc import Callable, Sequence
from pathlib import Path
from types import TracebackType
from typing import Self

import msgspec
import structlog

from cuckoo.domain.errors import ConfigError, CuckooError, FatalError, PeerFault, TransientError, WorkerDied
from cuckoo.domain.identifiers import ModelDigest
from cuckoo.domain.task import Mode, RuntimeProfile, TaskParameters
from cuckoo.inference import fingerprint
from cuckoo.inference.batches import BUCKETS, take_together
from cuckoo.inference.child import Child, ChildPlan
from cuckoo.inference.faults import OutOfMemory
from cuckoo.inference.messages import Batch, Cancelled, Failed, Finished, Progress, Replay, Replayed, Run
from cuckoo.inference.models import Model

log = structlog.get_logger(__name__)

WORKER_COMMAND = (sys.executable, "-m", "cuckoo.inference.worker")


class JobCancelled(CuckooError):
    """The job was stopped because the pool was asked to."""

    code = "job_cancelled"


class JobRefused(PeerFault):
    """The request can not be served by this model; another miner would refuse it too."""

    code = "job_refused"
    http_status = 422


class WorkerFault(TransientError):
    """The child met an error of its own while it ran a job."""

    code = "worker_fault"


class PoolOptions(msgspec.Struct, frozen=True, kw_only=True):
    """How the pool runs its children.

    Attributes:
        devices: "cpu", "cuda:N", "mps", or "auto" for every GPU that torch finds, else the CPU.
        threads: CPU threads of a child on the CPU; 0 for its share of the cores, or fewer where the models gain
            nothing from more: :func:`cuckoo.inference.fingerprint.threads_per_child`.
        cpu_children: CPU children on this host, those of other pools included; 0 for this pool's own.
        batch_bucket: most pictures that a device draws at once, one of :data:`cuckoo.inference.batches.BUCKETS`; tasks
            that are ``reproducible`` are drawn one by one.
        dtype: number format of the models, "" for the device's own; see :class:`cuckoo.inference.messages.Load`.
        attention: which attention kernel, likewise.
        isa: the CPU's vector instructions at most, as torch's ATEN_CPU_CAPABILITY names them; "" for all it has.
        digest_cache: file that remembers sha256 sums of model files; "" for none.
        grace_s: seconds that running jobs get when the pool closes.
        restarts: deaths in a row, without a finished job between them, after which a device is given up.
        backoff_s: wait before the first restart; doubles up to backoff_max_s.
        command: how a child is started.
    """

    devices: tuple[str, ...] = ("auto",)
    threads: int = 0
    cpu_children: int = 0
    batch_bucket: int = 1
    dtype: str = ""
    attention: str = "sdpa"
    isa: str = ""
    digest_cache: str = ""
    grace_s: float = 20.0
    restarts: int = 5
    backoff_s: float = 0.5
    backoff_max_s: float = 30.0
    command: tuple[str, ...] = WORKER_COMMAND


class Job(msgspec.Struct, frozen=True, kw_only=True):
    """What the pool runs.

    Attributes:
        job_id: unique among the jobs under way, for example task id and attempt.
        parameters: what to draw.
        preview_every: steps between two previews; 0 for none.
        latents_file: where the latents of every step are written, see :mod:`cuckoo.inference.latents`; "" for nowhere.
        inputs: what the parameters name by ``inputs``, in the same order.
    """

    job_id: str
    parameters: TaskParameters
    preview_every: int = 0
    latents_file: str = ""
    inputs: tuple[bytes, ...] = ()


class LoadedModel(msgspec.Struct, frozen=True, kw_only=True):
    """A model that at least one device has in memory.

    Attributes:
        model: the registry's entry.
        devices: where it is loaded.
        profile: the runtime profile on the first of them.
        pixel_step_s: measured seconds per pixel and denoising step on the slowest of them.
        max_pixels: the registry's limit, or less once a device's memory was measured.
        replays: by scheduler, from how many latents a step is made again, as
            :class:`cuckoo.inference.messages.Loaded` says.
        modes: from what it makes pictures.
    """

    model: Model
    devices: tuple[str, ...]
    profile: RuntimeProfile
    pixel_step_s: float
    max_pixels: int
    replays: dict[str, int] = {}
    modes: tuple[str, ...] = (Mode.TEXT,)


class _Pending:
    """A job from its arrival to its result."""

    def __init__(self, run: Run | Replay, on_progress: Callable[[Progress], None] | None) -> None:
        self.run = run
        self.on_progress = on_progress
        self.result: asyncio.Future[Finished | Replayed] = asyncio.get_running_loop().create_future()
        self.child: Child | None = None

    def parameters(self) -> TaskParameters | None:
        return self.run.parameters if isinstance(self.run, Run) else None

    def fail(self, error: BaseException) -> None:
        if not self.result.done():
            self.result.set_exception(error)


class WorkerPool:
    """Runs jobs on this host's devices. Use as an async context manager; await :meth:`watch` beside it.

    Attributes:
        ready: set while at least one device has every model loaded; a miner takes no task before.
        devices: the devices in use, known once the pool is entered.
    """

    def __init__(self, models: Sequence[Model], options: PoolOptions | None = None) -> None:
        """Plan a pool; nothing starts before it is entered."""
        self.options = options or PoolOptions()
        self.models = tuple(models)
        self.ready = asyncio.Event()
        self.devices: tuple[str, ...] = ()
        self._children: list[Child] = []
        self._waiting: deque[_Pending] = deque()
        self._jobs: dict[str, _Pending] = {}
        self._memory_limit: dict[str, int] = {}
        self._given_up: asyncio.Future[None] | None = None
        self._closing = False

    async def __aenter__(self) -> Self:
        """Find the devices and start their children; they load in the background: wait for ``ready``."""
        if not self.models:
            raise ConfigError("starting the worker pool: no model is named")
        if self.options.batch_bucket not in BUCKETS:
            offered = ", ".join(map(str, BUCKETS))
            raise ConfigError(f"starting the worker pool: batches of {self.options.batch_bucket}; there are {offered}")
        self._given_up = asyncio.get_running_loop().create_future()
        self.devices = await resolve_devices(self.options.devices, self.options.command)
        on_cpu = self.options.cpu_children or sum(device == "cpu" for device in self.devices)
        worth = [model.cpu_threads for model in self.models]
        threads = self.options.threads or fingerprint.threads_per_child(on_cpu, worth)
        for device in self.devices:
            plan = ChildPlan(
                device=device,
                models=self.models,
                command=self.options.command,
                environment=fingerprint.child_environment(os.environ, device, threads, self.options.isa),
                digest_cache=self.options.digest_cache,
                overlap=fingerprint.overlap_pays(device, threads, on_cpu),
                dtype=self.options.dtype,
                attention=self.options.attention,
                restarts=self.options.restarts,
                backoff_s=self.options.backoff_s,
                backoff_max_s=self.options.backoff_max_s,
            )
            self._children.append(Child(plan, self))
        for child in self._children:
            child.start()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Close: waiting jobs fail, running ones get ``grace_s``, then their children are killed."""
        self._closing = True
        self.ready.clear()
        while self._waiting:
            self._waiting.popleft().fail(WorkerDied("waiting for a device: the worker pool is closing"))
        running = [pending.result for pending in self._jobs.values() if not pending.result.done()]
        if running and kind is None:
            await asyncio.wait(running, timeout=self.options.grace_s)
        await asyncio.gather(*(child.close(self.options.grace_s if kind is None else 0.0) for child in self._children))
        for pending in list(self._jobs.values()):
            pending.fail(WorkerDied(f"running job {pending.run.job_id}: the worker pool was closed"))
        if self._given_up and self._given_up.done() and not self._given_up.cancelled():
            self._given_up.exception()  # it was for watch(); nobody may have asked

    @property
    def at_once(self) -> int:
        """How many jobs run at the same time, where they fit together."""
        return len(self.devices) * self.options.batch_bucket

    async def watch(self) -> None:
        """Wait for ever; raise FatalError when a model can not be loaded or every device has been given up."""
        if self._given_up is None:
            raise FatalError("watching the worker pool: it has not been entered")
        await asyncio.shield(self._given_up)

    async def run(self, job: Job, on_progress: Callable[[Progress], None] | None = None) -> Finished:
        """Run a job on the first device that is free.

        Args:
            job: what to draw.
            on_progress: called in the event loop after every step.

        Returns:
            Pictures, hashes, the latents' root, the runtime profile and timings.

        Raises:
            JobCancelled: :meth:`cancel` was called.
            JobRefused: a parameter is outside what the model does; the message names it.
            OutOfMemory: the device's memory does not suffice; carries the measured limit.
            WorkerDied: the child died, or the pool is closing; another try may help.
            WorkerFault: the child met an error of its own.
        """
        run = Run(
            job_id=job.job_id,
            parameters=job.parameters,
            preview_every=job.preview_every,
            latents_file=job.latents_file,
            inputs=job.inputs,
        )
        finished = await self._run(run, on_progress)
        assert isinstance(finished, Finished)
        return finished

    async def replay(self, replay: Replay) -> Replayed:
        """Make one step again on the first device that is free; raises as ``run``."""
        replayed = await self._run(replay, None)
        assert isinstance(replayed, Replayed)
        return replayed

    async def _run(self, job: Run | Replay, on_progress: Callable[[Progress], None] | None) -> Finished | Replayed:
        if self._closing or not self._children:
            raise WorkerDied(f"running job {job.job_id}: the worker pool is not open")
        if self._given_up and self._given_up.done():
            raise WorkerDied(f"running job {job.job_id}: {self._given_up.exception()}")
        if job.job_id in self._jobs:
            raise JobRefused(f"running job {job.job_id}: a job of this name is under way")
        pending = _Pending(job, on_progress)
        self._jobs[job.job_id] = pending
        self._waiting.append(pending)
        self._hand_out()
        try:
            return await pending.result
        except asyncio.CancelledError:
            self.cancel(job.job_id)
            raise
        finally:
            self._jobs.pop(job.job_id, None)

    def cancel(self, job_id: str) -> None:
        """Stop a job: at once if it waits, within one step if it runs. Unknown jobs are ignored."""
        pending = self._jobs.get(job_id)
        if pending is None:
            return
        if pending.child is not None:
            pending.child.cancel(job_id)
        elif pending in self._waiting:
            self._waiting.remove(pending)
            pending.fail(JobCancelled(f"job {job_id} was cancelled before it began"))

    def loaded(self) -> dict[ModelDigest, LoadedModel]:
        """Return the models in memory by digest, with the speed and the limits measured here."""
        found = {}
        for model in self.models:
            homes = [child for child in self._children if model.digest in child.loaded]
            if not homes:
                continue
            found[model.digest] = LoadedModel(
                model=model,
                devices=tuple(child.device for child in homes),
                profile=homes[0].loaded[model.digest].profile,
                pixel_step_s=max(child.speed[model.digest] for child in homes),
                max_pixels=min(model.limits.max_pixels, self._memory_limit.get(model.digest, model.limits.max_pixels)),
                replays=homes[0].loaded[model.digest].replays,
                modes=homes[0].loaded[model.digest].modes,
            )
        return found

    def _hand_out(self) -> None:
        """Give waiting jobs to free children, in order of arrival."""
        for child in self._children:
            if not self._waiting:
                return
            if not child.free:
                continue
            together, bucket = take_together(self._waiting, self.options.batch_bucket, _Pending.parameters)
            for pending in together:
                pending.child = child
            first = together[0].run
            runs = tuple(pending.run for pending in together if isinstance(pending.run, Run))
            child.run(first if isinstance(first, Replay) else Batch(runs=runs, bucket=bucket))

    # What children report.

    def child_changed(self) -> None:
        """A child became free, loaded its models, or lost them."""
        if self._closing:
            return
        if any(child.complete for child in self._children):
            self.ready.set()
        else:
            self.ready.clear()
        self._hand_out()

    def child_progressed(self, progress: Progress) -> None:
        """Pass a step on to whoever runs the job."""
        pending = self._jobs.get(progress.job_id)
        if pending is not None and pending.on_progress is not None:
            pending.on_progress(progress)

    def child_answered(self, answer: Finished | Replayed | Failed | Cancelled) -> None:
        """A job has ended in its child."""
        pending = self._jobs.get(answer.job_id)
        if pending is None or pending.result.done():
            return
        if isinstance(answer, Finished | Replayed):
            pending.result.set_result(answer)
        elif isinstance(answer, Cancelled):
            pending.fail(JobCancelled(f"job {answer.job_id} was cancelled"))
        elif answer.kind == "out_of_memory":
            digest = pending.run.parameters.model_digest
            known = self._memory_limit.get(digest, answer.limit_pixels)
            self._memory_limit[digest] = min(known, answer.limit_pixels)
            pending.fail(OutOfMemory(answer.message, answer.limit_pixels))
        elif answer.kind == "invalid":
            pending.fail(JobRefused(answer.message))
        else:
            pending.fail(WorkerFault(answer.message))

    def child_died(self, jobs: Sequence[str], why: str) -> None:
        """The child of these jobs is gone: whoever runs them may try again."""
        for job_id in jobs:
            if pending := self._jobs.get(job_id):
                pending.fail(WorkerDied(f"running job {job_id}: {why}"))
        self.child_changed()

    def child_given_up(self, why: str, *, fatal: bool) -> None:
        """A child will not be started again: with the last one, or a model that can not load, the pool is done for."""
        if self._given_up is None or self._given_up.done() or self._closing:
            return
        if fatal or all(child.given_up for child in self._children):
            self._given_up.set_exception(FatalError(why))
            while self._waiting:
                self._waiting.popleft().fail(WorkerDied(why))


async def resolve_devices(names: Sequence[str], command: Sequence[str] = WORKER_COMMAND) -> tuple[str, ...]:
    """Replace "auto" by the devices that torch finds, asked in a process of its own.

    Raises:
        ConfigError: a name is none of "auto", "cpu", "mps", "cuda:N", or torch is not installed.
    """
    devices: list[str] = []
    for name in names:
        if name == "auto":
            devices += await _asked(command)
        elif name in ("cpu", "mps") or (name.startswith("cuda:") and name[5:].isdecimal()):
            devices.append(name)
        else:
            raise ConfigError(f'choosing devices: {name!r} is not one of "auto", "cpu", "mps", "cuda:0", "cuda:1" ...')
    if not devices:
        raise ConfigError("choosing devices: none is named")
    return tuple(devices)


async def _asked(command: Sequence[str]) -> list[str]:
    process = await asyncio.create_subprocess_exec(
        *command, "--devices", stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE
    )
    out, err = await process.communicate()
    if process.returncode:
        said = err.decode(errors="replace").strip().splitlines() or ["no message"]
        raise ConfigError(
            f"asking torch for its devices: {said[-1]}; is it installed? "
            f"{Path(sys.executable).name} -m pip install 'cuckoo[gpu]'"
        )
    return out.decode().split()
