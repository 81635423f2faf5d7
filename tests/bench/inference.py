"""Row ``inference``: pictures a second through the network, against plain sequential diffusers.

Through the network: an app submits over HTTP, a coordinator draws the miner and signs, the miner's worker draws the
picture, and the app reads the PNG; a fixed number of tasks is open. Plain: one process calls the same pipeline again and
again and encodes with pillow's default. Same model, same seeds, same pixels. On the CPU plain may take the number of
threads that suits it best. GPU models have randomly initialised weights of the true size: speed does not depend on them.
"""

import asyncio
import io
import os
import statistics
import subprocess
import sys
import tempfile
import time
from contextlib import AsyncExitStack
from dataclasses import dataclass, replace
from pathlib import Path

from PIL import Image

from cuckoo.client.app import AppClient
from cuckoo.inference.models import bundled_directory
from cuckoo.protocol.messages import TaskRequest
from cuckoo.protocol.receipts import pixel_hash
from tests.bench.children import child
from tests.bench.figures import Figure, Row

OPEN_TASKS = 12
WARM_S = 2.0
SEED = 1_000
CPU_S = 6.0
GPU_S = 20.0
GPU_ROUNDS = 3
GPU_BUCKETS = (1, 4)
"""On the CPU pictures are drawn one by one."""
PROMPTS = ("red apple", "blue whale", "yellow star", "green tree", "a smiling face", "a small house")
QUIET = {"TRANSFORMERS_VERBOSITY": "error", "DIFFUSERS_VERBOSITY": "error", "HF_HUB_DISABLE_PROGRESS_BARS": "1"}


@dataclass(frozen=True)
class Case:
    """What is drawn.

    Attributes:
        name: in words.
        registry: ``models.toml`` with this model alone.
        folder: of the model.
        device, dtype: where and how.
        scheduler: diffusers' name, or "" for the model's own.
        side_px: of the picture.
        steps: denoising steps.
        guidance: classifier-free guidance scale.
        bar: how many times plain's speed at bucket 1 it must be.
    """

    name: str
    registry: Path
    folder: Path
    device: str
    dtype: str
    side_px: int
    steps: int
    guidance: float
    scheduler: str = ""
    bar: float | None = None

    def task(self):
        """Return it as plain diffusers takes it."""
        sides = {"width_px": self.side_px, "height_px": self.side_px}
        asked = {"steps": self.steps, "guidance": self.guidance, "scheduler": self.scheduler}
        return {**sides, **asked, "prompts": PROMPTS}


class Network:
    """An app before a coordinator and a miner."""

    def __init__(self, app, case, bucket):
        self._app, self._case, self._bucket = app, case, bucket
        self._numbers, self._hashes = iter(()), {}

    async def measure(self, seconds):
        """Keep tasks open for some seconds; returns pictures a second and the hashes by seed."""
        self._numbers, self._hashes, done = iter(range(SEED, SEED + 10**6)), {}, []
        end = time.perf_counter() + WARM_S + seconds
        await asyncio.gather(*(self._one_after_the_other(end, done) for _ in range(OPEN_TASKS)))
        counted = [at for at in done if at >= end - seconds]
        per_second = (len(counted) - 1) / (counted[-1] - counted[0]) if len(counted) > 1 else 0.0
        return {"per_second": per_second, "hashes": self._hashes}

    async def _one_after_the_other(self, end, done):
        while time.perf_counter() < end:
            seed = next(self._numbers)
            png = await self._paint(seed)
            done.append(time.perf_counter())
            self._hashes[seed] = pixels_of(png)

    async def _paint(self, seed):
        case = self._case
        asked = TaskRequest(
            prompt=PROMPTS[seed % len(PROMPTS)],
            width_px=case.side_px,
            height_px=case.side_px,
            steps=case.steps,
            guidance=case.guidance,
            scheduler=case.scheduler,
            seed=seed,
            reproducible=self._bucket == 1,
        )
        task = await self._app.submit(asked)
        async for event in self._app.events(task.task_id):
            last = event
        if last.kind != "done":
            raise RuntimeError(f"a picture was not drawn: {last}")
        return await self._app.picture(task.task_id, 0)


def pixels_of(png):
    image = Image.open(io.BytesIO(png)).convert("RGB")
    return pixel_hash(image.height, image.width, image.tobytes()).hex()


def thread_counts():
    """Return what plain diffusers is tried with on the CPU."""
    cores = os.cpu_count() or 1
    return sorted({1, max(1, cores // 2), cores})


async def compare(case, options, bucket=1):
    """Measure both in turns.

    Returns:
        Pictures a second in every round, the network's and plain's by threads, and how many pictures were compared.

    Raises:
        RuntimeError: a picture differs from plain's at the threads and the bucket that the miner used.
    """
    rounds = {"network": [], "plain": {}}
    async with AsyncExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory(dir=options.directory)))
        studio = await stack.enter_async_context(
            child("tests.bench.studio", folder, case.registry, case.device, bucket)
        )
        app = await stack.enter_async_context(AppClient((await studio.read())["origin"]))
        (profile,) = (await studio.ask(ask="profiles"))["profiles"]
        network = Network(app, case, bucket)
        plains = {}
        for threads in thread_counts() if case.device == "cpu" else (0,):
            environment = {**os.environ, **QUIET, **({"OMP_NUM_THREADS": str(threads)} if threads else {})}
            arguments = (case.folder, case.device, case.dtype, threads)
            plain = child("tests.bench.plain", *arguments, env=environment)
            plains[threads] = await stack.enter_async_context(plain)
            await plains[threads].read()
        for _ in range(options.rounds):
            ours = await network.measure(options.seconds)
            rounds["network"].append(ours["per_second"])
            for threads, plain in plains.items():
                done = await plain.ask(seconds=options.seconds, first_seed=SEED, **case.task())
                rounds["plain"].setdefault(threads, []).append(done["per_second"])
                if threads == profile["threads"]:
                    rounds["compared"] = same(ours["hashes"], done["hashes"]) if bucket == 1 else 0
    return rounds


def same(ours, plain):
    """Count the pictures that both drew; raises RuntimeError where one differs."""
    both = [seed for seed in ours if str(seed) in plain]
    other = [seed for seed in both if ours[seed] != plain[str(seed)]]
    if other or not both:
        raise RuntimeError(f"the pictures of seeds {other} differ from plain diffusers', of {len(both)}")
    return len(both)


def figures(case, rounds, bucket=1):
    """Return the ratio, to plain at its best, and both sides of it."""
    best = max(rounds["plain"], key=lambda threads: statistics.median(rounds["plain"][threads]))
    pairs = zip(rounds["network"], rounds["plain"][best], strict=True)
    said = case.name + (f", batches of {bucket}" if bucket > 1 else "")
    threads = f" at its best, {best} threads" if best else ""
    return [
        Figure(f"{said}: network over plain{threads}", statistics.median(o / p for o, p in pairs), "x", case.bar),
        Figure(f"{said}: network", statistics.median(rounds["network"]), "pictures/s"),
        Figure(f"{said}: plain", statistics.median(rounds["plain"][best]), "pictures/s"),
    ]


def bundled_cases():
    """Return the bundled model on the CPU, at 4 and 20 steps."""
    registry = bundled_directory() / "models.toml"
    folder = registry.parent / "models" / "emoji-64"
    return [
        Case(f"bundled model on the CPU, {steps} steps", registry, folder, "cpu", "float32", 64, steps, 4.0, bar=1.0)
        for steps in (4, 20)
    ]


def has_gpu():
    asked = [sys.executable, "-m", "cuckoo.inference.worker", "--devices"]
    return "cuda:0" in subprocess.run(asked, capture_output=True, text=True, check=True).stdout.split()


def sized_cases(folder, sizes, device, dtype):
    """Make models with random weights, and return what is drawn with each.

    Args:
        folder: for the models.
        sizes: of :data:`tests.support.sized.SIZES`: one like SD 1.5 and one like SDXL.
        device, dtype: where and how they draw.
    """
    from tests.support.sized import SIZES, build

    plans = (("20 steps", 0, 20, 7.5, "", None), ("30 steps", 1, 30, 5.0, "", None))
    cases = []
    for many, which, steps, guidance, scheduler, bar in (*plans, ("4 steps", 1, 4, 1.0, "LCMScheduler", 3.0)):
        name = sizes[which]
        home = folder / name
        if not home.exists():
            build(name, home, device=device)
        side_px = SIZES[name].side_px
        said = f"{name} on {device}, {side_px} px, {many}"
        registry = home / "models.toml"
        cases.append(Case(said, registry, home / name, device, dtype, side_px, steps, guidance, scheduler, bar))
    return cases


async def add(row, case, options, buckets=(1,)):
    """Measure a case and add it to a row."""
    for bucket in buckets:
        rounds = await compare(case, options, bucket)
        row.raw[f"{case.name}, bucket {bucket}"] = rounds
        row.figures += figures(case, rounds, bucket)
        if bucket == 1:
            row.notes.append(f"{case.name}: {rounds['compared']} pictures compared in the last round, all equal")


async def _measure(options):
    row = Row([])
    options = replace(options, seconds=max(options.seconds, CPU_S))
    for case in bundled_cases():
        await add(row, case, options)
    if not has_gpu():
        row.notes.append("SD 1.5, SDXL and SDXL in 4 steps not measured: torch finds no CUDA device here")
        return row
    options = replace(options, seconds=max(options.seconds, GPU_S), rounds=min(options.rounds, GPU_ROUNDS))
    with tempfile.TemporaryDirectory(dir=options.directory) as folder:
        for case in sized_cases(Path(folder), ("sd-1.5", "sdxl"), "cuda:0", "float16"):
            await add(row, case, options, GPU_BUCKETS)
    return row


def measure(options):
    """Measure the row."""
    return asyncio.run(_measure(options))
