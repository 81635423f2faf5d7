"""One diffusion model on one device: from task parameters to pixels and latents. Runs in the child only."""

import ctypes
import gc
import sys
import threading
from collections.abc import Callable, Sequence
from concurrent.futures import wait
from dataclasses import replace
from functools import partial
from pathlib import Path
from typing import Any, TypeVar

import diffusers
import msgspec
import torch
from PIL import Image

from cuckoo.domain import task
from cuckoo.domain.errors import ConfigError, InvalidField
from cuckoo.domain.task import Mode, RuntimeProfile, TaskParameters
from cuckoo.inference import fingerprint, models
from cuckoo.inference.calls import Calls, loras_of, shows_latents
from cuckoo.inference.drawing import Asked, Drawing, JobStopped, Watch
from cuckoo.inference.embeddings import remember
from cuckoo.inference.faults import OutOfMemory
from cuckoo.inference.line import STAGES, Advance, Line
from cuckoo.inference.loras import Loras
from cuckoo.inference.models import Model
from cuckoo.inference.recorder import Followed, Recorder

T = TypeVar("T")

_WARM_UP_STEPS = 3

_LIBC = ctypes.CDLL(None)

_MEMORY_WORDS = (
    "out of memory",
    "can't allocate memory",
    "not enough memory",
    "bad_alloc",
    "could not create a primitive",
)
"""How torch's allocators, the C++ library, and oneDNN (the last one) say that there is no memory left."""


_SILENT = Watch(stopped=lambda: False, progress=lambda *_: None, nearly=lambda: None)


def is_out_of_memory(error: BaseException) -> bool:
    """Tell whether an error means that memory ran out, on a GPU or on the CPU."""
    if isinstance(error, (torch.OutOfMemoryError, MemoryError)):
        return True
    return isinstance(error, RuntimeError) and any(part in str(error).lower() for part in _MEMORY_WORDS)


def smaller_sides(width_px: int, height_px: int) -> tuple[int, int] | None:
    """Return sides of about half the area on the grid of sides, or None below the smallest."""
    step = task.SIDE_STEP_PX
    width, height = (int(side * 0.7071) // step * step for side in (width_px, height_px))
    return (width, height) if min(width, height) >= task.SIDE_MIN_PX else None


class Pipeline:
    """A loaded model. Jobs may be drawn from several threads: their batches follow one another through the stages.

    Attributes:
        model: the registry's entry.
        pipe: diffusers' pipeline that starts from text.
        calls: what it and its kin are called with.
    """

    def __init__(
        self,
        model: Model,
        device: str,
        digest_cache: models.DigestCache | None = None,
        *,
        line: Line | None = None,
        overlap: bool = False,
        dtype: str = "",
        attention: str = "sdpa",
    ) -> None:
        """Load a model from its folder or from the hub, after its digest was checked.

        Args:
            model: the registry's entry.
            device: "cpu", "cuda:N" or "mps".
            digest_cache: remembers sums of unchanged files.
            line: of the device, which other models may share; default one of its own.
            overlap: while a batch is denoised, decode the one before and encode the text of the one behind.
            dtype, attention: as :class:`cuckoo.inference.messages.Load` says; attention holds for the whole process.

        Raises:
            ConfigError: not a diffusers folder, pickled weights, code of its own, another digest, or no such device.
        """
        self.model = model
        self._device = device
        self._dtype = _dtype(dtype or ("float32" if device == "cpu" else model.gpu_dtype))
        self._attention = attention
        if attention == "math":
            torch.backends.cuda.enable_flash_sdp(False)
            torch.backends.cuda.enable_mem_efficient_sdp(False)
            torch.backends.cuda.enable_cudnn_sdp(False)
        self._bucket_limit = task.PICTURES_MAX
        folder = Path(model.source) if Path(model.source).is_dir() else _download(model)
        found = models.digest(folder, digest_cache)
        if found != model.digest:
            raise ConfigError(
                f"loading the model {model.name} from {folder}: its digest is {found}, the registry says "
                f"{model.digest}; restore the files, or correct models.toml"
            )
        diffusers.utils.logging.disable_progress_bar()
        self.pipe = diffusers.DiffusionPipeline.from_pretrained(
            folder, dtype=self._dtype, use_safetensors=True, local_files_only=True, trust_remote_code=False
        ).to(device)
        if not shows_latents(self.pipe):
            raise ConfigError(f"loading the model {model.name}: {type(self.pipe).__name__} does not show its latents")
        self.calls = Calls(self.pipe)
        self._own_scheduler = self.pipe.scheduler
        self._line = line or Line(STAGES)
        self._alone = not overlap
        self._decoder = threading.Lock()
        self._encoders = remember(self.pipe.components)
        self._loras = Loras(model, self.pipe, self._encoders, digest_cache)

    @property
    def modes(self) -> tuple[str, ...]:
        """From what it makes pictures: see :class:`cuckoo.domain.task.Mode`."""
        return self.calls.modes

    def profile(self, batch_bucket: int = 1) -> RuntimeProfile:
        """Describe what decides the exact pixels of this pipeline."""
        return fingerprint.runtime_profile(
            device=self._device,
            device_name=torch.cuda.get_device_name(self._device) if self._device.startswith("cuda") else self._device,
            dtype=str(self._dtype).removeprefix("torch."),
            torch=str(torch.__version__),
            attention=self._attention,
            threads=torch.get_num_threads(),
            isa=torch.backends.cpu.get_cpu_capability(),
            batch_bucket=batch_bucket,
        )

    def warm_up(self) -> float:
        """Run a few steps once and return the seconds per pixel and step at the model's default size."""
        defaults = self.model.defaults
        parameters = TaskParameters(
            salt=bytes(32),
            model_digest=self.model.digest,
            prompt="",
            width_px=defaults.width_px,
            height_px=defaults.height_px,
            steps=_WARM_UP_STEPS,
            guidance_thousandths=round(defaults.guidance * 1000),
            seed=0,
        )
        drawing = self.draw(parameters, 1, _SILENT)
        return min(drawing.step_s[1:]) / (defaults.width_px * defaults.height_px)

    def check(self, parameters: TaskParameters) -> None:
        """Refuse what this model can not draw.

        Raises:
            InvalidField: names the field and the limit.
        """
        task.validate(parameters)
        limits = self.model.limits
        pixels = parameters.width_px * parameters.height_px
        if pixels > limits.max_pixels:
            raise InvalidField("width_px x height_px", pixels, f"{self.model.name} draws up to {limits.max_pixels:,}")
        if parameters.steps > limits.max_steps:
            raise InvalidField("steps", parameters.steps, f"{self.model.name} takes up to {limits.max_steps:,}")
        if parameters.scheduler and parameters.scheduler not in limits.schedulers:
            offered = f"{self.model.name} takes its own (empty) or one of {', '.join(limits.schedulers)}"
            raise InvalidField("scheduler", parameters.scheduler, offered)
        try:
            self.scheduler(parameters.scheduler).set_timesteps(parameters.steps)
        except ValueError as error:
            raise InvalidField("steps", parameters.steps, f"{parameters.scheduler} says: {error}") from error
        if parameters.mode not in self.modes:
            raise InvalidField("mode", parameters.mode, f"{self.model.name} takes {', '.join(self.modes)}")
        if parameters.negative_prompt and not self.calls.takes(Mode(parameters.mode), "negative_prompt"):
            raise InvalidField("negative_prompt", parameters.negative_prompt, f"{self.model.name} takes none")

    def draw(self, parameters: TaskParameters, bucket: int, watch: Watch, inputs: tuple[bytes, ...] = ()) -> Drawing:
        """Check and draw a task; as ``draw_together``, but raises JobStopped when it was cancelled."""
        self.check(parameters)
        (drawing,) = self.draw_together([Asked(parameters, watch, inputs)], bucket)
        if drawing is None:
            raise JobStopped("drawing a job: it was cancelled")
        return drawing

    def draw_together(self, asked: Sequence[Asked], bucket: int) -> list[Drawing | None]:
        """Draw all pictures of some tasks in batches; picture i of a task starts from its seed + i.

        When memory runs out they begin again: first with the device to itself, if it was shared with another batch,
        then with half the bucket, and so on; the profile names the bucket that did it.

        Args:
            asked: tasks that :meth:`check` lets pass, all of one :func:`cuckoo.inference.batches.shape`, or one alone.
            bucket: pictures per batch; a last, smaller batch is padded.

        Returns:
            By task; None for one that was cancelled.

        Raises:
            InvalidField: the model rounds the sides.
            OutOfMemory: one picture alone does not fit.
        """
        wanted = bucket
        bucket = min(bucket, self._bucket_limit)
        alone = self._alone or bool(asked[0].parameters.inputs)  # encoding a source uses the decoder's weights
        shared = not alone
        while True:
            try:
                drawings = self._draw(asked, bucket, alone=alone)
            except Exception as error:
                if not is_out_of_memory(error):
                    raise
            else:
                if shared and alone and bucket == wanted:
                    self._alone = True  # sharing the device is what did not fit
                return drawings
            self._free_memory()
            if not alone:
                alone = True
                continue
            if bucket == 1:
                raise self._exhausted(asked[0].parameters)
            self._bucket_limit = bucket = bucket // 2

    def alone(self, call: Callable[[], T]) -> T:
        """Run something that needs the whole model: after every earlier batch, before every later one."""
        return self._line.submit(lambda _: call(), alone=True).result()

    def _exhausted(self, parameters: TaskParameters) -> OutOfMemory:
        """Measure what fits instead, by single steps at half the area each time."""
        refused = parameters.width_px * parameters.height_px
        sides = smaller_sides(parameters.width_px, parameters.height_px)
        limit = 0
        while sides and not limit:
            probe = msgspec.structs.replace(
                _from_text(parameters), width_px=sides[0], height_px=sides[1], steps=1, pictures=1
            )
            try:
                self._draw([Asked(probe, _SILENT)], 1, alone=True)
                limit = sides[0] * sides[1]
            except Exception as error:
                if not is_out_of_memory(error):
                    raise
                sides = smaller_sides(*sides)
            self._free_memory()
        return OutOfMemory(
            f"drawing {parameters.width_px} x {parameters.height_px} px: the memory of {self._device} does not suffice "
            f"for {refused:,} pixels; {limit:,} were measured to fit",
            limit,
        )

    def _free_memory(self) -> None:
        for encoder in self._encoders:
            encoder.forget()
        gc.collect()
        if self._device.startswith("cuda"):
            torch.cuda.empty_cache()
        elif hasattr(_LIBC, "malloc_trim"):  # glibc keeps what is freed: a smaller picture would still not fit
            _LIBC.malloc_trim(0)

    def _draw(self, asked: Sequence[Asked], bucket: int, *, alone: bool) -> list[Drawing | None]:
        """Put the batches of tasks on the line, and collect what comes off it."""
        given_up = threading.Event()
        pictures = [(job, number) for job, one in enumerate(asked) for number in range(one.parameters.pictures)]
        parts = [pictures[at : at + bucket] for at in range(0, len(pictures), bucket)]
        calls = [
            self._line.submit(partial(self._batch, asked, parts, number, bucket, given_up), alone=alone)
            for number in range(len(parts))
        ]
        drawings = [Drawing(profile=self.profile(bucket)) for _ in asked]
        cancelled: set[int] = set()
        try:
            for call, part in zip(calls, parts, strict=True):
                jobs = dict.fromkeys(job for job, _ in part)
                try:
                    images, latents, step_s = call.result()
                except JobStopped:
                    cancelled |= jobs.keys()
                    continue
                for (job, _), image, steps in zip(part, images, latents, strict=True):
                    drawings[job].pictures.append(image)
                    drawings[job].latents.append(steps)
                for job in jobs:
                    drawings[job].step_s += step_s
        except BaseException:
            given_up.set()
            for call in calls:
                call.cancel()
            wait(calls)
            raise
        return [None if job in cancelled else drawing for job, drawing in enumerate(drawings)]

    def _batch(
        self,
        asked: Sequence[Asked],
        parts: Sequence[Sequence[tuple[int, int]]],
        number: int,
        bucket: int,
        given_up: threading.Event,
        advance: Advance,
    ) -> tuple[list[Image.Image], list[list[bytes]], list[float]]:
        """Draw one batch, from its text to its pixels, as the pipeline does it.

        The copy of the pipeline shares the weights; what a call writes into its pipeline is its own.

        Args:
            asked: the tasks.
            parts: (task, picture) of every batch.
            number: of this batch.
            bucket: pictures in it, padding included.
            given_up: set when nobody waits for it any more.
            advance: to the next stage.

        Returns:
            Pictures, their latents, and the seconds of the steps.
        """
        part = parts[number]
        followed = []
        for job in dict.fromkeys(job for job, _ in part):
            theirs = [at for at, other in enumerate(parts) if any(one == job for one, _ in other)]
            at = next(at for at, (one, _) in enumerate(part) if one == job)
            watch = asked[job].watch
            watch = replace(watch, stopped=partial(_either, given_up.is_set, watch.stopped))
            followed.append(Followed(watch, at, theirs.index(number), len(theirs)))
        if all(job.watch.stopped() for job in followed):
            raise JobStopped("beginning a batch: the job was cancelled before")
        drawn = [(asked[job].parameters, picture) for job, picture in part]
        parameters, last = drawn[-1]
        drawn += [(parameters, last + more) for more in range(1, bucket - len(drawn) + 1)]
        pipe = self.calls.pipe(Mode(parameters.mode))
        pipe.scheduler = self.scheduler(parameters.scheduler)
        is_last = number + 1 == len(parts)
        recorder = Recorder(pipe, followed, advance, self._decoder, steps=parameters.denoising_steps, last=is_last)
        inputs = asked[part[0][0]].inputs
        arguments = self.calls.arguments(drawn, inputs)
        with (
            self._loras.applied(loras_of(parameters, inputs)),
            torch.inference_mode(),
            recorder,
        ):  # spares torch some bookkeeping, 4 % of a small model's step
            images = pipe(**arguments, callback_on_step_end=recorder.step).images
        for image in images:
            if image.size != (parameters.width_px, parameters.height_px):
                raise InvalidField(
                    "width_px x height_px",
                    f"{parameters.width_px} x {parameters.height_px}",
                    f"{self.model.name} rounds these sides to {image.width} x {image.height}",
                )
        kept = [image.convert("RGB") for image in images[: len(part)]]
        return kept, recorder.by_picture(len(part)), recorder.step_s

    def scheduler(self, name: str) -> Any:
        """Return a fresh scheduler: one carries the history of its last run."""
        kind = getattr(diffusers, name) if name else type(self._own_scheduler)
        return kind.from_config(self._own_scheduler.config)


def _from_text(parameters: TaskParameters) -> TaskParameters:
    """Return the task without what goes in besides the text."""
    return msgspec.structs.replace(
        parameters, mode=Mode.TEXT, source_hash=task.NO_HASH, mask_hash=task.NO_HASH, strength_millionths=0
    )


def _either(one: Callable[[], bool], other: Callable[[], bool]) -> bool:
    return one() or other()


def _dtype(name: str) -> torch.dtype:
    kinds = {"float32": torch.float32, "float16": torch.float16, "bfloat16": torch.bfloat16}
    if name not in kinds:
        raise ConfigError(f"loading a model: the number format is {name!r}; it must be one of {', '.join(kinds)}")
    return kinds[name]


def _download(model: Model) -> Path:
    """Bring a model from the hub, without pickles and without code."""
    sys.stderr.write(f"downloading {model.source}\n")
    try:
        return Path(diffusers.DiffusionPipeline.download(model.source, use_safetensors=True, trust_remote_code=False))
    except Exception as error:
        raise ConfigError(
            f"loading the model {model.name}: {model.source!r} is no folder here and could not be had from the hub "
            f"({type(error).__name__}: {error})"
        ) from error
