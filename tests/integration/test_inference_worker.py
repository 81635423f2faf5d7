"""The real child with the bundled model, against plain diffusers in a process of its own."""

import asyncio
import io
import json
import os
import shutil
import signal
import subprocess
import sys
from pathlib import Path

import msgspec
import pytest
from PIL import Image

from cuckoo.domain.errors import FatalError, WorkerDied
from cuckoo.domain.task import TaskParameters
from cuckoo.inference import models
from cuckoo.inference.faults import OutOfMemory
from cuckoo.inference.pool import (
    Job,
    JobCancelled,
    JobRefused,
    PoolOptions,
    WorkerPool,
)
from cuckoo.protocol.receipts import pixel_hash
from tests.support.plain import plain_batch_hashes

MODEL = models.load_registry()["emoji-64"]
ONE_CPU = PoolOptions(devices=("cpu",), threads=1, backoff_s=0.01)

PLAIN = """
import hashlib, json, sys
import torch
from diffusers import DDIMScheduler, StableDiffusionPipeline
import diffusers
from cuckoo.domain.keccak import latent_leaf, merkle_root

tasks = json.load(sys.stdin)
torch.set_num_threads(1)
pipe = StableDiffusionPipeline.from_pretrained(tasks["model"], dtype=torch.float32)
pipe.set_progress_bar_config(disable=True)
own = pipe.scheduler
answers = []
for task in tasks["tasks"]:
    if task["scheduler"]:
        pipe.scheduler = getattr(diffusers, task["scheduler"]).from_config(own.config)
    else:
        pipe.scheduler = own
    hashes, leaves = [], []
    for picture in range(task["pictures"]):
        seed = task["seed"] + picture
        noise = torch.randn((1, 4, 16, 16), generator=torch.Generator("cpu").manual_seed(seed))
        pipe.scheduler.set_timesteps(task["steps"])
        steps = [noise * pipe.scheduler.init_noise_sigma]
        def keep(pipe, i, t, kwargs):
            steps.append(kwargs["latents"].clone())
            return kwargs
        image = pipe(
            task["prompt"], negative_prompt=task["negative_prompt"], height=64, width=64,
            num_inference_steps=task["steps"], guidance_scale=task["guidance"],
            generator=torch.Generator("cpu").manual_seed(seed), callback_on_step_end=keep,
        ).images[0]
        sides = image.height.to_bytes(4, "big") + image.width.to_bytes(4, "big")
        hashes.append(hashlib.sha256(sides + image.tobytes()).hexdigest())
        leaves += [latent_leaf(picture, k, s.numpy().astype("<f4").tobytes()) for k, s in enumerate(steps)]
    answers.append({"hashes": hashes, "root": merkle_root(leaves).hex()})
print("ANSWER" + json.dumps(answers))
"""


def parameters(prompt: str = "red apple", **changes: object) -> TaskParameters:
    wanted = {
        "salt": bytes(32),
        "model_digest": MODEL.digest,
        "prompt": prompt,
        "width_px": 64,
        "height_px": 64,
        "steps": 4,
        "guidance_thousandths": 4000,
        "seed": 7,
        **changes,
    }
    return TaskParameters(**wanted)


def plain(tasks: list[TaskParameters]) -> list[dict]:
    asked = [
        {
            "prompt": task.prompt,
            "negative_prompt": task.negative_prompt or None,
            "pictures": task.pictures,
            "seed": task.seed,
            "steps": task.steps,
            "guidance": task.guidance_thousandths / 1000,
            "scheduler": task.scheduler,
        }
        for task in tasks
    ]
    done = subprocess.run(
        [sys.executable, "-c", PLAIN],
        input=json.dumps({"model": MODEL.source, "tasks": asked}),
        env={**os.environ, "OMP_NUM_THREADS": "1", "MKL_NUM_THREADS": "1"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr[-2000:]
    return json.loads(done.stdout.split("ANSWER")[1])


async def until_ready(pool: WorkerPool) -> None:
    """Wait until the pool is ready, or raise what keeps it from it."""
    watch = asyncio.create_task(pool.watch())
    ready = asyncio.create_task(pool.ready.wait())
    done, _ = await asyncio.wait([watch, ready], return_when=asyncio.FIRST_COMPLETED)
    for task in (watch, ready):
        task.cancel()
    if watch in done:
        watch.result()


def _state(pid: int) -> str:
    return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]


async def gone(pid: int) -> None:
    """Wait until a process that is not ours has ended."""
    while True:
        try:
            if _state(pid) == "Z":
                return
        except (FileNotFoundError, ProcessLookupError):
            return
        await asyncio.sleep(0.02)


async def test_run__any_scheduler_and_several_pictures__has_the_pixels_and_latents_of_plain_diffusers():
    tasks = [
        parameters(pictures=2, negative_prompt="blue", steps=3),
        parameters("sunflower", seed=0, guidance_thousandths=0),
        *(parameters("cat", scheduler=name, steps=3) for name in MODEL.limits.schedulers),
    ]
    expected = await asyncio.to_thread(plain, tasks)
    async with WorkerPool([MODEL], ONE_CPU) as pool:
        await until_ready(pool)
        results = await asyncio.gather(*(pool.run(Job(job_id=str(i), parameters=t)) for i, t in enumerate(tasks)))
        loaded = pool.loaded()[MODEL.digest]
    for task, result, answer in zip(tasks, results, expected, strict=True):
        assert [h.hex() for h in result.picture_hashes] == answer["hashes"], task.scheduler
        assert result.latents_root.hex() == answer["root"], task.scheduler
        assert len(result.pictures) == task.pictures
        for png, picture_hash in zip(result.pictures, result.picture_hashes, strict=True):
            image = Image.open(io.BytesIO(png))
            assert (image.mode, image.size) == ("RGB", (64, 64))
            assert pixel_hash(64, 64, image.tobytes()) == picture_hash
    assert results[0].profile == loaded.profile
    assert (loaded.profile.device, loaded.profile.dtype, loaded.profile.threads) == ("cpu", "float32", 1)
    assert 0 < loaded.pixel_step_s < 1e-3


async def test_run__progress_cancel_refusals_and_batches__as_promised():
    async with WorkerPool([MODEL], msgspec.structs.replace(ONE_CPU, batch_bucket=4)) as pool:
        await until_ready(pool)

        quiet = await pool.run(Job(job_id="quiet", parameters=parameters()))
        steps = []
        seen = await pool.run(
            Job(job_id="seen", parameters=parameters(), preview_every=2),
            lambda p: steps.append((p.step, p.steps, bool(p.preview_png))),
        )
        assert steps == [(1, 4, False), (2, 4, True), (3, 4, False), (4, 4, False)]
        assert seen.picture_hashes == quiet.picture_hashes

        steps = []

        def stop_after_two(progress):
            steps.append(progress.step)
            if progress.step == 2:
                pool.cancel("long")

        with pytest.raises(JobCancelled):
            await pool.run(Job(job_id="long", parameters=parameters(steps=150)), stop_after_two)
        assert len(steps) <= 4  # the message needs a moment on its way; then the very next step is the last

        running = asyncio.create_task(pool.run(Job(job_id="first", parameters=parameters())))
        waiting = asyncio.create_task(pool.run(Job(job_id="second", parameters=parameters())))
        await asyncio.sleep(0)
        pool.cancel("second")
        with pytest.raises(JobCancelled, match="before it began"):
            await waiting
        assert (await running).picture_hashes == quiet.picture_hashes

        refused = {
            "mode": parameters(mode="text-to-video"),
            "steps": parameters(steps=0),
            "scheduler": parameters(scheduler="PNDMScheduler"),
            "width_px x height_px": parameters(width_px=512, height_px=512),
            "model_digest": parameters(model_digest="00" * 32),
        }
        for field, task in refused.items():
            with pytest.raises(JobRefused, match=f"^{field}: "):
                await pool.run(Job(job_id=field, parameters=task))

        batch = await pool.run(Job(job_id="batch", parameters=parameters(pictures=5, reproducible=False)))
        assert (len(batch.pictures), batch.profile.batch_bucket) == (5, 4)
        one = await pool.run(Job(job_id="one", parameters=parameters(pictures=5)))
        assert (len(one.pictures), one.profile.batch_bucket) == (5, 1)
        assert one.picture_hashes[0] == quiet.picture_hashes[0]
        for first, second in zip(batch.pictures, one.pictures, strict=True):
            pairs = zip(*(Image.open(io.BytesIO(png)).tobytes() for png in (first, second)), strict=True)
            assert max(abs(a - b) for a, b in pairs) <= 2


async def test_run__child_killed_in_the_middle__fails_retriably_and_runs_again_after_the_restart():
    async with WorkerPool([MODEL], ONE_CPU) as pool:
        await until_ready(pool)
        expected = await pool.run(Job(job_id="before", parameters=parameters()))
        child = pool._children[0]

        def kill_at_two(progress):
            if progress.step == 2:
                os.kill(child.pid, signal.SIGKILL)

        with pytest.raises(WorkerDied, match="code -9"):
            await pool.run(Job(job_id="killed", parameters=parameters(steps=100)), kill_at_two)
        assert not pool.ready.is_set()
        assert pool.loaded() == {}
        again = await pool.run(Job(job_id="killed", parameters=parameters()))  # waits for the new child
        assert again.picture_hashes == expected.picture_hashes
        assert pool.ready.is_set()


PARENT = """
import asyncio, sys
from cuckoo.inference import models
from cuckoo.inference.pool import *
from cuckoo.domain.task import TaskParameters

async def main():
    model = models.load_registry()["emoji-64"]
    async with WorkerPool([model], PoolOptions(devices=("cpu",), threads=1)) as pool:
        await pool.ready.wait()
        task = TaskParameters(salt=bytes(32), model_digest=model.digest, prompt="a", width_px=256, height_px=256,
                              steps=150, guidance_thousandths=4000, seed=1)
        def at_work(progress):
            print(pool._children[0].pid, flush=True)
        await pool.run(Job(job_id="a", parameters=task), at_work)

asyncio.run(main())
"""


async def test_child__parent_killed__leaves_no_orphan():
    parent = await asyncio.create_subprocess_exec(
        sys.executable, "-c", PARENT, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.DEVNULL
    )
    lines = (line.decode() async for line in parent.stdout)
    child = await _first_number(lines)
    parent.kill()
    await parent.wait()
    async with asyncio.timeout(20):
        await gone(child)


async def _first_number(lines) -> int:
    async for line in lines:
        if line.strip().isdigit():
            return int(line)
    raise AssertionError("the parent ended before its child was at work")


def _copy(tmp_path: Path) -> Path:
    return Path(shutil.copytree(MODEL.source, tmp_path / "model"))


def _tampered(root: Path) -> None:
    path = root / "unet" / "diffusion_pytorch_model.safetensors"
    weights = bytearray(path.read_bytes())
    weights[-1] ^= 1
    path.write_bytes(weights)


def _pickled(root: Path) -> None:
    path = root / "unet" / "diffusion_pytorch_model.safetensors"
    path.rename(path.with_suffix(".bin"))


@pytest.mark.parametrize(("spoil", "says"), [(_tampered, "its digest is"), (_pickled, "is a pickle")])
async def test_load__model_spoilt__is_fatal_and_says_why(tmp_path, spoil, says):
    root = _copy(tmp_path)
    spoil(root)
    model = msgspec.structs.replace(MODEL, source=str(root))
    async with WorkerPool([model], ONE_CPU) as pool:
        with pytest.raises(FatalError, match=says):
            await until_ready(pool)
        assert not pool.ready.is_set()
        with pytest.raises(WorkerDied, match=says):
            await pool.run(Job(job_id="a", parameters=parameters()))


NARROW = """
import resource, threading
from cuckoo.inference import pipelines, worker
load = pipelines.Pipeline.warm_up
def warm_up_then_narrow(self):
    speed = load(self)
    used = int(open("/proc/self/statm").read().split()[0]) * resource.getpagesize()
    resource.setrlimit(resource.RLIMIT_AS, (used + 900_000_000,) * 2)
    return speed
pipelines.Pipeline.warm_up = warm_up_then_narrow
worker.main()
"""


async def test_run__memory_exhausted__reports_the_limit_it_measured():
    wide = msgspec.structs.replace(MODEL, limits=models.Limits(max_pixels=1024 * 1024, max_steps=150))
    options = msgspec.structs.replace(ONE_CPU, command=(sys.executable, "-c", NARROW))
    async with WorkerPool([wide], options) as pool:
        await until_ready(pool)
        with pytest.raises(OutOfMemory, match="were measured to fit") as caught:
            await pool.run(Job(job_id="wide", parameters=parameters(width_px=1024, height_px=1024, steps=1)))
        assert 64 * 64 <= caught.value.limit_pixels < 1024 * 1024
        assert pool.loaded()[wide.digest].max_pixels == caught.value.limit_pixels
        after = await pool.run(Job(job_id="small", parameters=parameters()))
        assert len(after.pictures) == 1


STRAY = """
import os, sys
from cuckoo.inference import worker
class Chatty(worker.Worker):
    def serve(self):
        print("stray print")
        os.write(1, b"stray write")
        self._say(worker.LoadFailed(digest="", message=repr(sys.stdin.read())))
worker.Worker = Chatty
worker.main()
"""


def test_worker__stray_prints_and_reads__never_reach_the_pipes():
    done = subprocess.run([sys.executable, "-c", STRAY], input=b"for the protocol", capture_output=True, check=True)
    assert b"stray" not in done.stdout
    assert b"stray print" in done.stderr
    assert b"stray write" in done.stderr
    assert b"message\xa2''" in done.stdout


async def test_worker__waiting_and_its_standard_input_closes__exits():
    process = await asyncio.create_subprocess_exec(
        sys.executable, "-m", "cuckoo.inference.worker", stdin=asyncio.subprocess.PIPE
    )
    process.stdin.close()
    async with asyncio.timeout(20):
        assert await process.wait() == 0


async def test_run__tasks_of_one_shape_that_wait__are_drawn_together_as_plain_diffusers_does():
    prompts = ("red apple", "blue whale", "yellow star")
    tasks = [parameters(prompt, seed=seed, reproducible=False) for seed, prompt in enumerate(prompts, start=20)]
    async with WorkerPool([MODEL], msgspec.structs.replace(ONE_CPU, batch_bucket=4)) as pool:
        await until_ready(pool)
        assert pool.at_once == 4
        before = asyncio.create_task(pool.run(Job(job_id="before", parameters=parameters(steps=8))))
        jobs = [Job(job_id=task.prompt, parameters=task) for task in tasks]
        steps = []
        together = [asyncio.create_task(pool.run(job, lambda seen: steps.append(seen.steps))) for job in jobs]
        results = await asyncio.gather(*together)
        await before
        alone = await pool.run(Job(job_id="alone", parameters=tasks[0]))
    padded = [*tasks, msgspec.structs.replace(tasks[-1], seed=tasks[-1].seed + 1)]
    expected = await asyncio.to_thread(plain_batch_hashes, MODEL.source, padded)
    assert [result.profile.batch_bucket for result in results] == [4, 4, 4]
    assert [result.picture_hashes for result in results] == [[one] for one in expected[:3]]
    assert len({result.latents_root for result in results}) == 3
    assert steps == [4] * 12, "each counts its own steps"
    assert alone.profile.batch_bucket == 1


async def test_run__one_of_a_batch_cancelled__the_others_are_finished():
    tasks = {name: parameters(name, steps=40, reproducible=False) for name in ("kept", "dropped")}
    async with WorkerPool([MODEL], msgspec.structs.replace(ONE_CPU, batch_bucket=2)) as pool:
        await until_ready(pool)
        before = asyncio.create_task(pool.run(Job(job_id="before", parameters=parameters())))
        seen = []

        def stop_after_two(progress):
            seen.append(progress.step)
            if progress.step == 2:
                pool.cancel("dropped")

        kept = asyncio.create_task(pool.run(Job(job_id="kept", parameters=tasks["kept"]), stop_after_two))
        dropped = asyncio.create_task(pool.run(Job(job_id="dropped", parameters=tasks["dropped"])))
        with pytest.raises(JobCancelled):
            await dropped
        assert not kept.done(), "it is told within a step, not at the end of the batch"
        done = await kept
        await before
        assert (done.profile.batch_bucket, len(done.step_s), seen[-1]) == (2, 40, 40)
