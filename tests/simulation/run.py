"""Run one seed, or find the shortest way to what it found."""

import asyncio
import os
import random
import secrets
from contextlib import ExitStack
from pathlib import Path
from unittest import mock

import structlog

from cuckoo.scheduler import seedchain
from cuckoo.services import seeds
from cuckoo.services.dispatch import miners
from cuckoo.storage import segments, store
from tests.simulation.disk import SimulatedWriter, sync, synced
from tests.simulation.loop import SimulatedLoop
from tests.simulation.plan import plan_of
from tests.simulation.world import World, temporary_folder

LINKS = 512
"""Of the hash chains of these runs: enough for their periods."""


def run(plan, trace=None, **how):
    """Run a plan; ``how`` is for the World.

    Returns:
        (what was found wrong or None, the Checks with their counts).
    """
    rng = random.Random(f"secrets {plan.seed}")
    random.seed(plan.seed)
    with ExitStack() as stack:
        folder = Path(stack.enter_context(temporary_folder()))
        for target, name, value in (
            (secrets, "token_bytes", rng.randbytes),
            (os, "urandom", rng.randbytes),
            (store, "Writer", SimulatedWriter),
            (seedchain, "LINKS", LINKS),
            (seeds, "LINKS", LINKS),
            (miners, "_INLINE_PIXELS", 0),
            (segments, "_sync_data", sync),
        ):
            stack.enter_context(mock.patch.object(target, name, value))
        loop = SimulatedLoop(random.Random(f"threads {plan.seed}"))
        loop.set_exception_handler(lambda *_: None)
        stack.callback(loop.close)
        stack.callback(SimulatedWriter.disks.clear)
        stack.callback(SimulatedWriter.observers.clear)
        stack.callback(synced.clear)
        world = None

        async def main():
            nonlocal world
            world = World(plan, folder, trace, **how)
            await world.run()

        error = None
        try:
            asyncio.set_event_loop(loop)
            loop.run_until_complete(main())
        except Exception as found:  # noqa: BLE001 - whatever it is, this seed found it
            error = world.checks.broken or found
        finally:
            asyncio.set_event_loop(None)
        return error, world.checks


def shortest(plan, tries=200):
    """Leave out faults and tasks as long as something is still found; returns (plan, error, trace)."""
    error, _ = run(plan)
    smaller = True
    while smaller and tries > 0:
        smaller = False
        candidates = [plan.without_fault(number) for number in range(len(plan.faults))]
        candidates += [plan.without_task(app) for app, count in enumerate(plan.tasks) if count]
        for candidate in candidates:
            tries -= 1
            found, _ = run(candidate)
            if found is not None:
                plan, error, smaller = candidate, found, True
                break
    trace = []
    run(plan, trace)
    return plan, error, trace


def _drop(*_):
    raise structlog.DropEvent


def quiet():
    """Let the product's log be silent."""
    structlog.configure(processors=[_drop], wrapper_class=structlog.make_filtering_bound_logger(50))


def run_seed(seed):
    """Run a seed; returns (seed, error or None, counts)."""
    error, checks = run(plan_of(seed))
    names = ("commits", "transitions", "restarts", "done", "failed", "cancelled")
    return seed, error and f"{type(error).__name__}: {error}", {name: getattr(checks, name) for name in names}
