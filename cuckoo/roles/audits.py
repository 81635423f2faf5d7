"""What auditing needs of dispatch and of this machine."""

from collections.abc import AsyncIterator, Callable, Collection
from contextlib import asynccontextmanager
from typing import TYPE_CHECKING

from cuckoo.domain.amounts import Wei
from cuckoo.domain.identifiers import NodeId, TaskId
from cuckoo.domain.node import Node
from cuckoo.domain.task import RuntimeProfile, TaskParameters
from cuckoo.inference.messages import Replay, Replayed
from cuckoo.inference.models import load_registry
from cuckoo.inference.pool import Job, PoolOptions, WorkerPool
from cuckoo.protocol.messages import Challenge
from cuckoo.runtime.service import Service
from cuckoo.services.auditing.judging import Work
from cuckoo.services.follower import Follower
from cuckoo.storage.writer import Command

if TYPE_CHECKING:
    from cuckoo.services.dispatch.service import Dispatch


class DispatchWorkshop:
    """Gives audits' tasks out through dispatch, among the miners of the registry."""

    def __init__(self, registry: Follower) -> None:
        """Take the registry; ``dispatch`` is set before the first audit."""
        self._registry = registry
        self.dispatch: Dispatch

    def anybody(self, parameters: TaskParameters, avoid: Collection[NodeId]) -> bool:
        """Tell whether a miner that is none of ``avoid`` is there and serves the model."""
        miners = self.dispatch.engine.state.miners.values()
        return any(parameters.model_digest in one.enrolled and one.node not in avoid for one in miners)

    async def make_again(
        self,
        parameters: TaskParameters,
        price_wei: Wei,
        avoid: Collection[NodeId],
        note: Callable[[TaskId], Command[None]],
    ) -> TaskId:
        """Give a task out to a miner that is none of ``avoid``."""
        return await self.dispatch.apps.make_again(parameters, price_wei, avoid, note)

    async def withdraw(self, task_id: TaskId) -> None:
        """Take such a task back."""
        await self.dispatch.apps.cancel(task_id)

    def disproved(self, miner: NodeId) -> None:
        """Let a miner's health fall."""
        self.dispatch.disproved(miner)

    def miners(self) -> Collection[Node]:
        """Return the registered miners."""
        return self._registry.miners()


class AuditDevice:
    """A device of this machine that makes results again."""

    def __init__(self, pool: WorkerPool) -> None:
        """Take an entered pool."""
        self._pool = pool
        self._count = 0

    async def make(self, parameters: TaskParameters, inputs: tuple[bytes, ...]) -> Work:
        """Make a task's pictures; raises WorkerDied, JobRefused, OutOfMemory."""
        self._count += 1
        made = await self._pool.run(Job(job_id=f"audit {self._count}", parameters=parameters, inputs=inputs))
        return Work(
            by=None,
            profile=made.profile,
            picture_hashes=tuple(made.picture_hashes),
            latents_root=made.latents_root,
            pictures=tuple(made.pictures),
        )

    def history(self, parameters: TaskParameters, profile: RuntimeProfile) -> int:
        """Return from how many latents a step is made again; 0 where it can not, as for another number format."""
        if (
            parameters.inputs
        ):  # how the start is made of a source is not replayed: such a result is made again as a whole
            return 0
        loaded = self._pool.loaded().get(parameters.model_digest)
        if loaded is None or loaded.profile.dtype != profile.dtype:  # even the starting noise depends on the format
            return 0
        return loaded.replays.get(parameters.scheduler, 0)

    async def replay(
        self, parameters: TaskParameters, challenge: Challenge, latents: dict[int, bytes], png: bytes
    ) -> Replayed:
        """Make a step again; raises WorkerDied, JobRefused, WorkerFault."""
        self._count += 1
        return await self._pool.replay(
            Replay(
                job_id=f"audit {self._count}",
                parameters=parameters,
                picture=challenge.picture,
                step=challenge.step,
                history=challenge.history,
                latents=latents,
                png=png,
            )
        )


@asynccontextmanager
async def open_audit_device(device: str, threads: int) -> AsyncIterator[tuple[AuditDevice | None, list[Service]]]:
    """Open the device that audits run on, with the service that watches it; none when ``device`` is ""."""
    if not device:
        yield None, []
        return
    options = PoolOptions(devices=(device,), threads=threads)
    async with WorkerPool(list(load_registry().values()), options) as pool:
        yield AuditDevice(pool), [Service("audit device", pool.watch)]
