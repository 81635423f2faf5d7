"""The worker on a CUDA device, with models of random weights; skipped where torch finds none."""

import asyncio
import subprocess
import sys

import pytest
import pytest_asyncio

from cuckoo.domain.task import TaskParameters
from cuckoo.inference.pool import Job, JobCancelled, PoolOptions, WorkerPool
from tests.support.plain import plain_batch_hashes
from tests.support.sized import build

DEVICES = subprocess.run(
    [sys.executable, "-m", "cuckoo.inference.worker", "--devices"], capture_output=True, text=True, check=False
)
pytestmark = [
    pytest.mark.gpu,
    pytest.mark.skipif("cuda:0" not in DEVICES.stdout.split(), reason="torch finds no CUDA device"),
    pytest.mark.asyncio(loop_scope="module"),  # one worker serves all of them
]
CUDA = {"device": "cuda:0", "dtype": "float16"}


@pytest.fixture(scope="module", params=["tiny-sd", "tiny-sdxl"])
def model(request, tmp_path_factory):
    return build(request.param, tmp_path_factory.mktemp("models"))


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def pool(model):
    async with WorkerPool([model], PoolOptions(devices=("cuda:0",), batch_bucket=4)) as pool:
        await pool.ready.wait()
        yield pool


def task(model, prompt="red apple", **changes):
    wanted = {
        "salt": bytes(32),
        "model_digest": model.digest,
        "prompt": prompt,
        "width_px": 64,
        "height_px": 64,
        "steps": 6,
        "guidance_thousandths": 5_000,
        "seed": 7,
        **changes,
    }
    return TaskParameters(**wanted)


async def test_run__twice__equal_pixels_and_latents_which_are_plain_diffusers(pool, model):
    first, second = [await pool.run(Job(job_id=name, parameters=task(model))) for name in ("first", "second")]
    assert (first.picture_hashes, first.latents_root) == (second.picture_hashes, second.latents_root)
    assert first.profile.threads == 0
    assert first.profile.dtype == "float16"
    expected = await asyncio.to_thread(plain_batch_hashes, model.source, [task(model)], **CUDA)
    assert first.picture_hashes == expected


async def test_run__many_at_once__stages_overlap_and_every_picture_is_what_it_is_alone(pool, model):
    tasks = [task(model, f"prompt {number}", seed=number, steps=2 + number % 3) for number in range(12)]
    alone = [await pool.run(Job(job_id=f"alone {one.seed}", parameters=one)) for one in tasks]
    together = await asyncio.gather(*(pool.run(Job(job_id=f"both {one.seed}", parameters=one)) for one in tasks))
    for one, other in zip(alone, together, strict=True):
        assert (one.picture_hashes, one.latents_root) == (other.picture_hashes, other.latents_root)


async def test_run__cancelled_between_others__stops_within_a_step_and_they_are_finished(pool, model):
    steps = []

    def stop_after_two(progress):
        steps.append(progress.step)
        if progress.step == 2:
            pool.cancel("long")

    long = asyncio.create_task(pool.run(Job(job_id="long", parameters=task(model, steps=150)), stop_after_two))
    behind = asyncio.create_task(pool.run(Job(job_id="behind", parameters=task(model))))
    with pytest.raises(JobCancelled):
        await long
    assert len(steps) < 150
    assert (await behind).picture_hashes == (await pool.run(Job(job_id="again", parameters=task(model)))).picture_hashes


async def test_run__batch__pixels_of_plain_diffusers_at_that_bucket(pool, model):
    tasks = [task(model, f"prompt {seed}", seed=seed, reproducible=False) for seed in range(40, 44)]
    before = asyncio.create_task(pool.run(Job(job_id="before", parameters=task(model, steps=30))))
    together = await asyncio.gather(*(pool.run(Job(job_id=one.prompt, parameters=one)) for one in tasks))
    await before
    expected = await asyncio.to_thread(plain_batch_hashes, model.source, tasks, **CUDA)
    assert [result.profile.batch_bucket for result in together] == [4] * 4
    assert [result.picture_hashes for result in together] == [[one] for one in expected]
