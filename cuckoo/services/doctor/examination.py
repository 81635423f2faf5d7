"""Draw with each model on each device, at a few sizes, in a child process of its own; note memory and time."""

import asyncio
import math
import statistics
import time
from collections.abc import Callable, Sequence
from typing import NamedTuple

from msgspec.structs import replace

from cuckoo.domain.errors import ConfigError, CuckooError, FatalError, WorkerDied
from cuckoo.domain.task import SIDE_MAX_PX, SIDE_MIN_PX, SIDE_STEP_PX, TaskParameters
from cuckoo.inference.faults import OutOfMemory
from cuckoo.inference.host import Host, describe
from cuckoo.inference.messages import Finished
from cuckoo.inference.models import Model
from cuckoo.inference.pool import Job, PoolOptions, WorkerPool
from cuckoo.services.doctor.findings import ModelFinding, SizeFinding

STEPS = 4
PICTURE_S = 900.0
"""A picture of a few steps that takes longer is not waited for."""

Told = Callable[[str], None]
"""Hears what is looked at next; called once for each piece of work that :func:`pieces` counts."""


class _Tried(NamedTuple):
    """What came of one picture: the finding, and the largest picture that was measured to fit where memory ran out."""

    finding: SizeFinding
    limit_pixels: int = 0


def sizes_of(model: Model) -> list[tuple[int, int]]:
    """Return the sides that are tried, in rising order: the model's default, its largest, and one in between."""
    defaults = model.defaults
    default, most = defaults.width_px * defaults.height_px, model.limits.max_pixels
    sides = [(defaults.width_px, defaults.height_px)] if default <= most else []
    for pixels in (math.isqrt(default * most), most):
        side = math.isqrt(pixels) // SIDE_STEP_PX * SIDE_STEP_PX
        side = min(SIDE_MAX_PX, max(SIDE_MIN_PX, side))
        if side * side <= most and (side * side > default or default > most):
            sides.append((side, side))
    return list(dict.fromkeys(sides)) or [(SIDE_MIN_PX, SIDE_MIN_PX)]


def pieces(models: Sequence[Model], devices: Sequence[str]) -> int:
    """Return how many pieces of work an examination has at most, for a progress bar."""
    alone = sum(1 + len(sizes_of(model)) for model in models)
    return len(set(devices)) * (alone + (1 + len(models) if len(models) > 1 else 0))


async def examine(
    models: Sequence[Model], devices: Sequence[str], options: PoolOptions, told: Told
) -> tuple[list[Host], list[ModelFinding]]:
    """Examine every model on every device, alone and then all of a device together, as a miner loads them.

    Args:
        models: of the registry.
        devices: resolved.
        options: as the miner's pool runs; devices and restarts are set here.
        told: hears how it goes.

    Raises:
        ConfigError: a device is not there.
    """
    hosts, found = [], []
    for device in dict.fromkeys(devices):
        hosts.append(await describe(device, options.command))
        own = replace(options, devices=(device,), restarts=0)
        alone = [await examine_model(model, own, told) for model in models]
        found += await _together(models, alone, own, told)
    return hosts, found


async def examine_model(model: Model, options: PoolOptions, told: Told) -> ModelFinding:
    """Load a model in a child of its own and draw its sizes, from the smallest up to the first that fails."""
    (device,) = options.devices
    finding = ModelFinding(model=model.name, digest=model.digest, device=device)
    told(f"loading {model.name} on {device}")
    began = time.perf_counter()
    try:
        async with WorkerPool([model], options) as pool:
            await _loaded(pool)
            load_s = time.perf_counter() - began
            tried = []
            for sides in sizes_of(model):
                told(f"{model.name} on {device}, {sides[0]} x {sides[1]} px")
                tried.append(await _draw(pool, model, *sides))
                if tried[-1].finding.problem:
                    break
    except (FatalError, ConfigError) as error:
        return replace(finding, problem=str(error))
    return replace(
        finding,
        load_s=load_s,
        sizes=tuple(one.finding for one in tried),
        problem=tried[-1].finding.problem,
        max_pixels=_most(model, tried),
    )


def _most(model: Model, tried: Sequence[_Tried]) -> int:
    """Return the largest picture that may be offered."""
    if not tried[-1].finding.problem:
        return model.limits.max_pixels
    drawn = [one.finding.pixels for one in tried if not one.finding.problem]
    return max([tried[-1].limit_pixels, *drawn])


async def _loaded(pool: WorkerPool) -> None:
    """Wait until a pool can draw; raises FatalError when it never will."""
    ready, over = asyncio.create_task(pool.ready.wait()), asyncio.create_task(pool.watch())
    try:
        await asyncio.wait({ready, over}, return_when=asyncio.FIRST_COMPLETED)
        if over.done():
            over.result()
    finally:
        for task in (ready, over):
            task.cancel()
        await asyncio.gather(ready, over, return_exceptions=True)


async def _draw(pool: WorkerPool, model: Model, width_px: int, height_px: int) -> _Tried:
    size = SizeFinding(width_px=width_px, height_px=height_px)
    parameters = TaskParameters(
        salt=bytes(32),
        model_digest=model.digest,
        prompt="a red apple",
        width_px=width_px,
        height_px=height_px,
        steps=min(STEPS, model.limits.max_steps),
        scheduler=model.defaults.scheduler,
        guidance_thousandths=round(model.defaults.guidance * 1000),
        seed=1,
    )
    try:
        async with asyncio.timeout(PICTURE_S):
            finished = await pool.run(Job(job_id=f"{model.name} {width_px} x {height_px}", parameters=parameters))
    except TimeoutError:
        return _Tried(replace(size, problem=f"{parameters.steps} steps took longer than {PICTURE_S:.0f} s"))
    except OutOfMemory as error:
        return _Tried(replace(size, problem="the memory does not suffice"), error.limit_pixels)
    except WorkerDied as error:
        return _Tried(replace(size, problem=f"the worker died, often for lack of memory: {error}"))
    except CuckooError as error:
        return _Tried(replace(size, problem=str(error)))
    return _Tried(_measured(size, finished, model.defaults.steps))


def _measured(size: SizeFinding, finished: Finished, steps: int) -> SizeFinding:
    step_s = statistics.median(finished.step_s[1:] or finished.step_s)
    around_s = max(0.0, finished.seconds - sum(finished.step_s))
    return replace(size, peak_bytes=finished.peak_bytes, step_s=step_s, picture_s=around_s + steps * step_s)


async def _together(
    models: Sequence[Model], alone: Sequence[ModelFinding], options: PoolOptions, told: Told
) -> list[ModelFinding]:
    """Load all models that passed into one child, as a miner does; those that do not fit beside the first ones fail."""
    findings = {one.digest: one for one in alone}
    fit = [_limited(model, findings[model.digest]) for model in models if findings[model.digest].max_pixels]
    while len(fit) > 1:
        problem = await _beside(fit, options, told)
        if not problem:
            break
        *fit, last = fit
        beside = ", ".join(model.name for model in fit)
        findings[last.digest] = replace(
            findings[last.digest], max_pixels=0, problem=f"it does not fit beside {beside}: {problem}"
        )
    return [findings[model.digest] for model in models]


def _limited(model: Model, finding: ModelFinding) -> Model:
    return replace(model, limits=replace(model.limits, max_pixels=finding.max_pixels))


async def _beside(models: Sequence[Model], options: PoolOptions, told: Told) -> str:
    """Load some models into one child and draw the largest picture of each; returns what went wrong, or ""."""
    told(f"loading {len(models)} models together")
    try:
        async with WorkerPool(models, options) as pool:
            await _loaded(pool)
            for model in models:
                told(f"{model.name} beside the others")
                tried = await _draw(pool, model, *sizes_of(model)[-1])
                if tried.finding.problem:
                    return f"{model.name}: {tried.finding.problem}"
    except (FatalError, ConfigError) as error:
        return str(error)
    return ""
