"""Results whose latents were kept, and single steps of them made again, with the real child."""

import itertools
from dataclasses import dataclass
from pathlib import Path

from msgspec.structs import replace

from cuckoo.domain.keccak import latent_leaf, merkle_root
from cuckoo.domain.task import SCHEDULERS, TaskParameters
from cuckoo.inference.latents import opened, write
from cuckoo.inference.messages import Finished, Replay
from cuckoo.inference.models import Model, load_registry
from cuckoo.inference.pool import Job
from cuckoo.protocol.messages import Challenge

_numbers = itertools.count(1)


def every_scheduler() -> Model:
    """Return the bundled model, offered with every scheduler of the network."""
    model = load_registry()["emoji-64"]
    return replace(model, limits=replace(model.limits, schedulers=SCHEDULERS))


def task(scheduler="", steps=5, **changes):
    fields = {
        "salt": bytes(32),
        "model_digest": load_registry()["emoji-64"].digest,
        "prompt": "a red apple",
        "width_px": 64,
        "height_px": 64,
        "steps": steps,
        "guidance_thousandths": 4_000,
        "seed": 7,
        "scheduler": scheduler,
    }
    return TaskParameters(**(fields | changes))


@dataclass
class Kept:
    """A result with its latents."""

    parameters: TaskParameters
    done: Finished
    path: Path

    def challenge(self, step, history, picture=0):
        return Challenge(id=1, picture=picture, step=step, history=history, deadline=0)

    def opened(self, step, history, picture=0):
        return opened(self.path, self.challenge(step, history, picture))


async def make(pool, parameters, folder, inputs=()):
    """Run a task and keep its latents."""
    number = next(_numbers)
    path = folder / f"{number}.latents"
    done = await pool.run(Job(job_id=f"job {number}", parameters=parameters, latents_file=str(path), inputs=inputs))
    return Kept(parameters, done, path)


async def again(pool, kept, step, history, picture=0, latents=None, png=None, parameters=None):
    """Make a step of a result again; ``latents`` replaces some of what is shown."""
    shown = {one.step: one.payload for one in kept.opened(step, history, picture)}
    return await pool.replay(
        Replay(
            job_id=f"replay {next(_numbers)}",
            parameters=parameters or kept.parameters,
            picture=picture,
            step=step,
            history=history,
            latents=shown | (latents or {}),
            png=png or kept.done.pictures[picture],
        )
    )


def keep(parameters, done, latents, folder):
    """Return a result whose maker signed these latents, by picture and number."""
    leaves = [
        latent_leaf(picture, number, payload)
        for picture, payloads in enumerate(latents)
        for number, payload in enumerate(payloads)
    ]
    path = folder / f"{next(_numbers)}.latents"
    write(path, leaves, latents)
    return Kept(parameters, replace(done, latents_root=merkle_root(leaves)), path)


def forged(kept, folder, changes):
    """Return a result of one picture with other latents: ``changes`` by number."""
    steps = kept.parameters.steps
    shown = {one.step: one.payload for step in range(steps) for one in kept.opened(step, 1)}
    return keep(kept.parameters, kept.done, [[(shown | changes)[number] for number in range(steps + 1)]], folder)


def exact(replayed):
    return replayed.noise.exact, replayed.step.exact, replayed.decoded.exact
