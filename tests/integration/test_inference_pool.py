"""The pool with real child processes that run a script instead of a model, so that faults come when they are wanted."""

import asyncio
import subprocess
import sys

import msgspec
import pytest

from cuckoo.domain.errors import ConfigError, FatalError, WorkerDied
from cuckoo.domain.task import TaskParameters
from cuckoo.inference import models
from cuckoo.inference.faults import OutOfMemory
from cuckoo.inference.pool import (
    Job,
    JobCancelled,
    JobRefused,
    PoolOptions,
    WorkerFault,
    WorkerPool,
    resolve_devices,
)

MODEL = models.load_registry()["emoji-64"]

CHILD = """
import os, sys, time
from cuckoo.domain.task import RuntimeProfile
from cuckoo.inference.messages import *

mood = sys.argv[1]
if sys.argv[2:] == ["--devices"]:
    if mood == "without torch":
        sys.exit("ModuleNotFoundError: No module named 'torch'")
    print("cuda:0\\ncuda:1")
    sys.exit()
profile = RuntimeProfile(device="cpu", dtype="float32", torch="0", attention="sdpa",
                         threads=int(os.environ["OMP_NUM_THREADS"]), isa="", batch_bucket=1)

def say(message):
    sys.stdout.buffer.write(frame(message))
    sys.stdout.buffer.flush()

def finish(run):
    say(Finished(job_id=run.job_id, pictures=[str(os.getpid()).encode()], picture_hashes=[], latents_root=bytes(32),
                 profile=profile, step_s=[0.5, 0.5], seconds=1.0))

held = []
while (message := read_for_child(sys.stdin.buffer)) is not None:
    if isinstance(message, Batch):
        (message,) = message.runs
    if isinstance(message, Load):
        if mood == "dies at once":
            sys.exit("no such driver")
        if mood == "can not load":
            say(LoadFailed(digest=message.model.digest, message="broken weights"))
        else:
            say(Loaded(digest=message.model.digest, profile=profile, pixel_step_s=1e-6))
    elif isinstance(message, Shutdown):
        if mood != "hangs":
            break
    elif isinstance(message, Cancel):
        say(Cancelled(job_id=message.job_id))
    elif message.parameters.prompt == "die":
        os._exit(9)
    elif message.parameters.prompt == "babble":
        os.write(1, b"Downloading...")
    elif message.parameters.prompt == "too large":
        say(Failed(job_id=message.job_id, kind="out_of_memory", message="too large", limit_pixels=1024))
    elif message.parameters.prompt == "fault":
        say(Failed(job_id=message.job_id, kind="internal", message="KeyError: 'x'"))
    elif message.parameters.prompt == "wait":
        say(Progress(job_id=message.job_id, step=1, steps=2))
    elif message.parameters.prompt == "overlap":
        held.append(message)
        say(Ready(job_id=message.job_id))
        if len(held) == 2:
            for run in held:
                finish(run)
    else:
        finish(message)
"""


def options(mood: str = "well", **changes: object) -> PoolOptions:
    command = (sys.executable, "-c", CHILD, mood)
    return PoolOptions(**{"devices": ("cpu",), "command": command, "backoff_s": 0.001, "grace_s": 5.0, **changes})


def job(job_id: str, prompt: str = "") -> Job:
    parameters = TaskParameters(
        salt=bytes(32),
        model_digest=MODEL.digest,
        prompt=prompt,
        width_px=64,
        height_px=64,
        steps=2,
        guidance_thousandths=0,
        seed=0,
    )
    return Job(job_id=job_id, parameters=parameters)


async def test_run__more_jobs_than_devices__uses_all_devices_and_finishes_all():
    async with WorkerPool([MODEL], options(devices=("cpu", "cpu"), threads=3)) as pool:
        await pool.ready.wait()
        while len(pool.loaded()[MODEL.digest].devices) < 2:  # noqa: ASYNC110 - the pool tells of the first only
            await asyncio.sleep(0.01)
        results = await asyncio.gather(*(pool.run(job(str(n))) for n in range(8)))
        assert len({result.pictures[0] for result in results}) == 2
        assert {result.profile.threads for result in results} == {3}


async def test_run__before_the_model_is_loaded__waits_for_it():
    async with WorkerPool([MODEL], options()) as pool:
        assert not pool.ready.is_set()
        await pool.run(job("early"))
        assert pool.ready.is_set()


async def test_run__last_step_begun__sends_the_next_job_before_the_result_is_there():
    async with WorkerPool([MODEL], options()) as pool:
        await asyncio.gather(pool.run(job("a", "overlap")), pool.run(job("b", "overlap")))


async def test_run__finished__moves_the_measured_speed():
    async with WorkerPool([MODEL], options()) as pool:
        await pool.run(job("a"))
        expected = 0.8 * 1e-6 + 0.2 * 1.0 / (64 * 64 * 2)
        assert pool.loaded()[MODEL.digest].pixel_step_s == pytest.approx(expected)


@pytest.mark.parametrize("prompt", ["die", "babble"])
async def test_run__child_dies_or_babbles__fails_retriably_and_the_next_job_runs(prompt):
    async with WorkerPool([MODEL], options()) as pool:
        for attempt in range(3):
            with pytest.raises(WorkerDied):
                await pool.run(job(f"{prompt} {attempt}", prompt))
            await pool.run(job(f"well {attempt}"))


async def test_run__failures__are_told_apart():
    async with WorkerPool([MODEL], options()) as pool:
        with pytest.raises(OutOfMemory) as caught:
            await pool.run(job("a", "too large"))
        assert caught.value.limit_pixels == pool.loaded()[MODEL.digest].max_pixels == 1024
        with pytest.raises(WorkerFault, match="KeyError"):
            await pool.run(job("b", "fault"))


async def test_run__same_name_twice__is_refused():
    async with WorkerPool([MODEL], options()) as pool:
        first = asyncio.create_task(pool.run(job("a")))
        await asyncio.sleep(0)
        with pytest.raises(JobRefused, match="under way"):
            await pool.run(job("a"))
        await first


async def test_run__awaiting_task_cancelled__frees_the_child():
    async with WorkerPool([MODEL], options()) as pool:
        at_work = asyncio.Event()
        running = asyncio.create_task(pool.run(job("a", "wait"), lambda _: at_work.set()))
        await at_work.wait()
        running.cancel()
        with pytest.raises(asyncio.CancelledError):
            await running
        await pool.run(job("b"))


async def test_cancel__running_and_unknown__stops_the_one_and_ignores_the_other():
    async with WorkerPool([MODEL], options()) as pool:
        pool.cancel("unknown")
        with pytest.raises(JobCancelled):
            await pool.run(job("a", "wait"), lambda _: pool.cancel("a"))


async def test_watch__child_dies_again_and_again__gives_up_with_its_last_words():
    async with WorkerPool([MODEL], options("dies at once", restarts=2)) as pool:
        waiting = asyncio.create_task(pool.run(job("a")))
        with pytest.raises(FatalError, match=r"no such driver; given up after 3 deaths"):
            await pool.watch()
        with pytest.raises(WorkerDied, match="no such driver"):
            await waiting
        with pytest.raises(WorkerDied, match="no such driver"):
            await pool.run(job("b"))


async def test_watch__model_can_not_load__is_fatal_at_once():
    async with WorkerPool([MODEL], options("can not load")) as pool:
        with pytest.raises(FatalError, match="broken weights"):
            await pool.watch()


async def test_close__running_job__gets_its_grace():
    pool = WorkerPool([MODEL], options())
    async with pool:
        await pool.ready.wait()
        running = asyncio.create_task(pool.run(job("a")))
        await asyncio.sleep(0)
    assert (await running).pictures


@pytest.mark.parametrize("mood", ["hangs", "well"])
async def test_close__child_hangs_or_job_does_not_end__is_over_after_the_grace(mood):
    at_work = asyncio.Event()
    async with WorkerPool([MODEL], options(mood, grace_s=0.05)) as pool:
        running = asyncio.create_task(pool.run(job("a", "wait"), lambda _: at_work.set()))
        await at_work.wait()
        waiting = asyncio.create_task(pool.run(job("b")))
        await asyncio.sleep(0)
        child = pool._children[0]
    assert child.pid is None
    for task in (running, waiting):
        with pytest.raises(WorkerDied):
            await task
    with pytest.raises(WorkerDied, match="not open"):
        await pool.run(job("c"))


async def test_close__while_the_child_waits_for_its_restart__ends():
    async with WorkerPool([MODEL], options("dies at once", backoff_s=1000.0, backoff_max_s=1000.0)) as pool:
        child = pool._children[0]
        while child._deaths == 0:  # noqa: ASYNC110 - nothing is told before the restart
            await asyncio.sleep(0.01)


async def test_close__at_once__leaves_no_process():
    async with WorkerPool([MODEL], options()) as pool:
        await asyncio.sleep(0)
        child = pool._children[0]
    assert child.pid is None


async def test_resolve_devices__auto_and_names__are_what_torch_finds():
    command = options().command
    assert await resolve_devices(("auto",), command) == ("cuda:0", "cuda:1")
    assert await resolve_devices(("cpu", "cuda:3", "mps"), command) == ("cpu", "cuda:3", "mps")


@pytest.mark.parametrize("names", [("tpu",), ("cuda:",), ("cuda:x",), ()])
async def test_resolve_devices__unknown__is_a_config_error(names):
    with pytest.raises(ConfigError, match="choosing devices"):
        await resolve_devices(names, options().command)


async def test_resolve_devices__torch_missing__says_what_to_install():
    with pytest.raises(ConfigError, match=r"No module named 'torch'.*cuckoo\[gpu\]"):
        await resolve_devices(("auto",), options("without torch").command)


async def test_enter__no_models__is_a_config_error():
    with pytest.raises(ConfigError, match="no model"):
        async with WorkerPool([], options()):
            pass


async def test_ready__two_models__means_both_are_in_memory():
    other = msgspec.structs.replace(MODEL, name="other", digest="00" * 32)
    async with WorkerPool([MODEL, other], options()) as pool:
        await pool.ready.wait()
        assert set(pool.loaded()) == {MODEL.digest, other.digest}


def test_pool__imported__brings_no_torch():
    code = "import sys, cuckoo.inference.pool as p; sys.exit(' '.join({'torch', 'diffusers', 'transformers'} & {*sys.modules}))"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.stderr.strip() == ""
