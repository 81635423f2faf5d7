"""Make the same pictures in many ways, honest and dishonest ones, and measure how far they lie apart."""

import asyncio
import itertools
from collections.abc import AsyncIterator, Callable, Iterable, Mapping, Sequence
from typing import Protocol

import msgspec

from cuckoo.domain.task import TaskParameters
from cuckoo.domain.tolerance import kinship
from cuckoo.inference.messages import Finished, Progress
from cuckoo.inference.models import Model
from cuckoo.inference.pool import Job, PoolOptions, WorkerPool
from cuckoo.protocol.png import difference
from cuckoo.services.calibrating.spread import Pair

STEPS = (4, 16)
BATCHES = (2, 4)
HALF = "bfloat16"
FULL = "float32"


class Maker(Protocol):
    """Who makes pictures: a worker pool, or something dishonest in front of one."""

    async def run(self, job: Job, on_progress: Callable[[Progress], None] | None = None) -> Finished:
        """Run a job."""


Disguise = Callable[[WorkerPool], Maker]
"""Puts something dishonest in front of a pool."""


class Variant(msgspec.Struct, frozen=True, kw_only=True):
    """One way to make the pictures honestly.

    Attributes:
        name: in words.
        options: how its pool runs.
        pictures: of one task: more than one, to be drawn as a batch.
        dishonest: whether cheats are tried on it too.
    """

    name: str
    options: PoolOptions
    pictures: int = 1
    dishonest: bool = False


def families(device: str, devices: Sequence[str], cores: int) -> list[list[Variant]]:
    """List the ways in which the pictures are made; the first of each family is what its others are compared with.

    Args:
        device: where most of them are made.
        devices: all that there are.
        cores: of this machine.
    """
    replace = msgspec.structs.replace
    own = PoolOptions(devices=(device,), threads=1)
    other_kinds = [name for name in devices if _kind(name) != _kind(device)]
    other = HALF if device == "cpu" else FULL
    first = [
        Variant(name="the same process again", options=own),
        Variant(name="a new process", options=own, dishonest=True),
        *_nearby(own, device, cores, dishonest=True),
        Variant(name=f"in {other}", options=replace(own, dtype=other), dishonest=True),
        *(Variant(name=f"on {name}", options=PoolOptions(devices=(name,), threads=1)) for name in other_kinds),
    ]
    options = replace(own, dtype=other)
    second = [
        Variant(name=f"{other}: the same process again", options=options),
        *(replace(way, name=f"{other}: {way.name}") for way in _nearby(options, device, cores, dishonest=False)),
    ]
    return [first, second]


def _nearby(own: PoolOptions, device: str, cores: int, *, dishonest: bool) -> list[Variant]:
    """List what may differ on one device without a change of the number format."""
    replace = msgspec.structs.replace
    counts = sorted({2, min(4, cores), cores} - {1}) if device == "cpu" else []
    return [
        *(
            Variant(name=f"{count} threads", options=replace(own, threads=count), dishonest=dishonest and count == 2)
            for count in counts
        ),
        *(
            Variant(name=f"in a batch of {count}", options=replace(own, batch_bucket=count), pictures=count)
            for count in BATCHES
        ),
        Variant(name="another attention kernel", options=replace(own, attention="math")),
        *([Variant(name="on an older CPU, with AVX2 only", options=replace(own, isa="avx2"))] if counts else []),
    ]


def _kind(device: str) -> str:
    return device.partition(":")[0]


def tasks(model: Model, prompts: Sequence[str], count: int, pictures: int = 1) -> list[TaskParameters]:
    """List what is drawn: ``count`` prompts, each with few and with more steps."""
    defaults = model.defaults
    return [
        TaskParameters(
            salt=number.to_bytes(32, "big"),
            model_digest=model.digest,
            prompt=prompts[number % len(prompts)],
            width_px=defaults.width_px,
            height_px=defaults.height_px,
            pictures=pictures,
            steps=min(steps, model.limits.max_steps),
            guidance_thousandths=round(defaults.guidance * 1_000),
            seed=1_000 + number,
            reproducible=pictures == 1,
        )
        for number, steps in itertools.product(range(count), STEPS)
    ]


class Measuring:
    """Runs all variants, two pools at a time."""

    def __init__(
        self,
        model: Model,
        prompts: Sequence[str],
        count: int,
        ways: Sequence[Sequence[Variant]],
        cheats: Mapping[str, Disguise],
    ) -> None:
        """Plan the work.

        Args:
            model: which one.
            prompts: to choose from.
            count: how many of them.
            ways: the honest ones, by family.
            cheats: the dishonest ones, by what they do.
        """
        self._model = model
        self._families = ways
        self._cheats = cheats
        self._tasks = tasks(model, prompts, count)
        self._prompts, self._count = prompts, count
        self._numbers = itertools.count()

    @property
    def pairs(self) -> int:
        """How many there will be, for a progress bar."""
        ways = [way for family in self._families for way in family]
        batches = sum(way.pictures * len(self._together(way)) for way in ways if way.pictures > 1)
        alone = sum(1 + way.dishonest * len(self._cheats) for way in ways if way.pictures == 1)
        return batches + alone * len(self._tasks)

    async def run(self) -> AsyncIterator[Pair]:
        """Yield each pair as it is measured; raises FatalError where the model can not be loaded."""
        for first, *others in self._families:
            async with self._pool(first.options) as reference:
                await _ready(reference)
                expected = [await self._make(reference, task) for task in self._tasks]
                async for pair in self._alone(first.name, True, reference, expected):
                    yield pair
                for way in others:
                    async with self._pool(way.options) as pool:
                        await _ready(pool)
                        async for pair in self._way(way, pool, reference, expected):
                            yield pair

    async def _way(
        self, way: Variant, pool: WorkerPool, reference: WorkerPool, expected: Sequence[Finished]
    ) -> AsyncIterator[Pair]:
        if way.pictures > 1:
            for task in self._together(way):
                alone = msgspec.structs.replace(task, reproducible=True)
                for pair in _pairs(way.name, True, await self._make(reference, alone), await self._make(pool, task)):
                    yield pair
            return
        async for pair in self._alone(way.name, True, pool, expected):
            yield pair
        for name, disguise in self._cheats.items() if way.dishonest else ():
            async for pair in self._alone(name, False, disguise(pool), expected):
                yield pair

    async def _alone(self, name: str, honest: bool, maker: Maker, expected: Iterable[Finished]) -> AsyncIterator[Pair]:
        for task, reference in zip(self._tasks, expected, strict=True):
            for pair in _pairs(name, honest, reference, await self._make(maker, task)):
                yield pair

    def _together(self, way: Variant) -> list[TaskParameters]:
        return tasks(self._model, self._prompts, -(-self._count // way.pictures), way.pictures)

    def _pool(self, options: PoolOptions) -> WorkerPool:
        return WorkerPool([self._model], options)

    async def _make(self, maker: Maker, task: TaskParameters) -> Finished:
        return await maker.run(Job(job_id=f"calibrate {next(self._numbers)}", parameters=task))


def _pairs(name: str, honest: bool, reference: Finished, made: Finished) -> list[Pair]:
    found = []
    for number, png in enumerate(made.pictures):
        mean, largest = difference(reference.pictures[number], png)
        identical = reference.picture_hashes[number] == made.picture_hashes[number]
        found.append(
            Pair(
                maker=name,
                honest=honest,
                kinship=kinship(reference.profile, made.profile),
                identical=identical,
                mean=mean,
                largest=largest,
            )
        )
    return found


async def _ready(pool: WorkerPool) -> None:
    """Wait until the pool has its model; raises FatalError where it can not be loaded."""
    waiting = [asyncio.ensure_future(pool.ready.wait()), asyncio.ensure_future(pool.watch())]
    try:
        for done in (await asyncio.wait(waiting, return_when=asyncio.FIRST_COMPLETED))[0]:
            await done
    finally:
        for one in waiting:
            one.cancel()
