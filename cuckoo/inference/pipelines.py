"""One diffusion model on one device: from task parameters to pixels and latents. Runs in the child only."""

import ctypes
import gc
import inspect
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from io import BytesIO
from pathlib import Path
from typing import Any

import diffusers
import msgspec
import torch
from PIL import Image

from cuckoo.domain import task
from cuckoo.domain.errors import ConfigError, CuckooError, InvalidField
from cuckoo.domain.keccak import latent_leaf, merkle_root
from cuckoo.domain.task import RuntimeProfile, TaskParameters
from cuckoo.inference import fingerprint, models
from cuckoo.inference.models import Model
from cuckoo.protocol.receipts import pixel_hash

_PNG_LEVEL = 1
"""zlib level: at 1024 px six times faster than the default, for a tenth more bytes; the pixels are the same."""

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


class JobStopped(CuckooError):
    """The job was cancelled while it ran."""

    code = "job_stopped"


class MemoryExhausted(CuckooError):
    """The device's memory does not suffice even for one picture at a time.

    Attributes:
        limit_pixels: the largest picture (width times height) that was measured to fit; 0 for none.
    """

    code = "out_of_memory"

    def __init__(self, message: str, limit_pixels: int) -> None:
        """Carry the measured limit."""
        super().__init__(message)
        self.limit_pixels = limit_pixels


@dataclass(frozen=True)
class Watch:
    """What a run calls while it works.

    Attributes:
        stopped: asked after every step; True ends the run.
        progress: gets (steps done, steps in all, preview PNG or b"").
        preview_every: steps between two previews; 0 for none.
    """

    stopped: Callable[[], bool]
    progress: Callable[[int, int, bytes], None]
    preview_every: int = 0


@dataclass
class Drawing:
    """Pixels and latents of a job, before they are encoded and hashed.

    Attributes:
        profile: what decided the pixels.
        pictures: RGB images.
        latents: per picture, after every step, float32 little-endian bytes; entry 0 is the starting noise.
        step_s: seconds of every step.
    """

    profile: RuntimeProfile
    pictures: list[Image.Image] = field(default_factory=list)
    latents: list[list[bytes]] = field(default_factory=list)
    step_s: list[float] = field(default_factory=list)


@dataclass(frozen=True)
class Encoded:
    """A drawing as it leaves the child: PNG files, pixel hashes, the leaves over the latents and their Merkle root."""

    pictures: list[bytes]
    picture_hashes: list[bytes]
    leaves: list[bytes]
    latents_root: bytes


def encode(drawing: Drawing) -> Encoded:
    """Encode pictures as PNG and hash pixels and latents; touches no torch, so it may run beside the next job."""
    leaves = [
        latent_leaf(picture, step, payload)
        for picture, steps in enumerate(drawing.latents)
        for step, payload in enumerate(steps)
    ]
    return Encoded(
        pictures=[png(image) for image in drawing.pictures],
        picture_hashes=[pixel_hash(image.height, image.width, image.tobytes()) for image in drawing.pictures],
        leaves=leaves,
        latents_root=merkle_root(leaves),
    )


def png(image: Image.Image) -> bytes:
    """Write an image as a PNG file."""
    out = BytesIO()
    image.save(out, "PNG", compress_level=_PNG_LEVEL)
    return out.getvalue()


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
    """A loaded model. Not safe for threads: one job at a time.

    Attributes:
        model: the registry's entry.
        pipe: diffusers' pipeline.
        starting_latents: its own way to draw the starting noise.
    """

    def __init__(self, model: Model, device: str, digest_cache: models.DigestCache | None = None) -> None:
        """Load a model from its folder or from the hub, after its digest was checked.

        Args:
            model: the registry's entry.
            device: "cpu", "cuda:N" or "mps".
            digest_cache: remembers sums of unchanged files.

        Raises:
            ConfigError: not a diffusers folder, pickled weights, code of its own, another digest, or no such device.
        """
        self.model = model
        self._device = device
        self._dtype = torch.float32 if device == "cpu" else _dtype(model.gpu_dtype)
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
        self.pipe.set_progress_bar_config(disable=True)
        self._accepted = frozenset(inspect.signature(self.pipe.__call__).parameters)
        shown = getattr(self.pipe, "_callback_tensor_inputs", ())
        if "callback_on_step_end" not in self._accepted or "latents" not in shown:
            raise ConfigError(f"loading the model {model.name}: {type(self.pipe).__name__} does not show its latents")
        self._own_scheduler = self.pipe.scheduler
        self.starting_latents = self.pipe.prepare_latents

    def profile(self, batch_bucket: int = 1) -> RuntimeProfile:
        """Describe what decides the exact pixels of this pipeline."""
        return fingerprint.runtime_profile(
            device=self._device,
            device_name=torch.cuda.get_device_name(self._device) if self._device.startswith("cuda") else self._device,
            dtype=str(self._dtype).removeprefix("torch."),
            torch=str(torch.__version__),
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
        drawing = self.draw(parameters, 1, Watch(stopped=lambda: False, progress=lambda *_: None))
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
        if parameters.negative_prompt and "negative_prompt" not in self._accepted:
            raise InvalidField("negative_prompt", parameters.negative_prompt, f"{self.model.name} takes none")

    def draw(self, parameters: TaskParameters, batch_bucket: int, watch: Watch) -> Drawing:
        """Draw all pictures of a task; picture i starts from seed + i.

        When memory runs out the batch is halved and the task begins again; the profile names the bucket that did it.

        Args:
            parameters: what to draw.
            batch_bucket: pictures per batch; a last, smaller batch is padded. ``reproducible`` makes it 1.
            watch: told about every step.

        Raises:
            InvalidField: a parameter outside the limits.
            JobStopped: ``watch.stopped`` said so.
            MemoryExhausted: one picture alone does not fit.
        """
        if watch.stopped():
            raise JobStopped("beginning a job: it was cancelled before")
        self.check(parameters)
        bucket = 1 if parameters.reproducible else min(batch_bucket, self._bucket_limit)
        while True:
            try:
                return self._draw(parameters, bucket, watch)
            except Exception as error:
                if not is_out_of_memory(error):
                    raise
            self._free_memory()
            if bucket == 1:
                raise self._exhausted(parameters)
            self._bucket_limit = bucket = bucket // 2

    def _exhausted(self, parameters: TaskParameters) -> MemoryExhausted:
        """Measure what fits instead, by single steps at half the area each time."""
        refused = parameters.width_px * parameters.height_px
        sides = smaller_sides(parameters.width_px, parameters.height_px)
        silent = Watch(stopped=lambda: False, progress=lambda *_: None)
        limit = 0
        while sides and not limit:
            probe = msgspec.structs.replace(parameters, width_px=sides[0], height_px=sides[1], steps=1, pictures=1)
            try:
                self._draw(probe, 1, silent)
                limit = sides[0] * sides[1]
            except Exception as error:
                if not is_out_of_memory(error):
                    raise
                sides = smaller_sides(*sides)
            self._free_memory()
        return MemoryExhausted(
            f"drawing {parameters.width_px} x {parameters.height_px} px: the memory of {self._device} does not suffice "
            f"for {refused:,} pixels; {limit:,} were measured to fit",
            limit,
        )

    def _free_memory(self) -> None:
        gc.collect()
        if self._device.startswith("cuda"):
            torch.cuda.empty_cache()
        elif hasattr(_LIBC, "malloc_trim"):  # glibc keeps what is freed: a smaller picture would still not fit
            _LIBC.malloc_trim(0)

    def _draw(self, parameters: TaskParameters, bucket: int, watch: Watch) -> Drawing:
        drawing = Drawing(profile=self.profile(bucket))
        batches = -(-parameters.pictures // bucket)
        for number in range(batches):
            recorder = _Recorder(self.pipe, watch, number, batches)
            self.pipe.scheduler = self.scheduler(parameters.scheduler)
            self.pipe.prepare_latents = recorder.wrap(self.starting_latents)
            first = number * bucket
            images = self.pipe(**self.arguments(parameters, first, bucket), callback_on_step_end=recorder.step).images
            wanted = min(bucket, parameters.pictures - first)
            for image in images[:wanted]:
                if image.size != (parameters.width_px, parameters.height_px):
                    raise InvalidField(
                        "width_px x height_px",
                        f"{parameters.width_px} x {parameters.height_px}",
                        f"{self.model.name} rounds these sides to {image.width} x {image.height}",
                    )
                drawing.pictures.append(image.convert("RGB"))
            drawing.latents += recorder.by_picture(wanted)
            drawing.step_s += recorder.step_s
        return drawing

    def scheduler(self, name: str) -> Any:
        """Return a fresh scheduler: one carries the history of its last run."""
        kind = getattr(diffusers, name) if name else type(self._own_scheduler)
        return kind.from_config(self._own_scheduler.config)

    def arguments(self, parameters: TaskParameters, first: int, bucket: int) -> dict[str, Any]:
        """Build the pipeline's arguments for pictures first .. first + bucket - 1.

        Each generator is on the CPU, so the start does not depend on the GPU model (diffusers recommends the same).
        """
        seeds = range(parameters.seed + first, parameters.seed + first + bucket)
        arguments = {
            "prompt": [parameters.prompt] * bucket,
            "negative_prompt": [parameters.negative_prompt] * bucket if parameters.negative_prompt else None,
            "width": parameters.width_px,
            "height": parameters.height_px,
            "num_inference_steps": parameters.steps,
            "guidance_scale": parameters.guidance_thousandths / 1000,
            "generator": [torch.Generator("cpu").manual_seed(seed) for seed in seeds],
            "output_type": "pil",
            "callback_on_step_end_tensor_inputs": ["latents"],
        }
        return {name: value for name, value in arguments.items() if name in self._accepted}


def decoded(pipe: Any, latents: torch.Tensor) -> bytes:
    """Return what one picture's latents, finished or not, look like, as a PNG file."""
    vae = pipe.vae
    scaled = latents / vae.config.scaling_factor + (getattr(vae.config, "shift_factor", None) or 0)
    pixels = vae.decode(scaled.to(vae.dtype), return_dict=False)[0]
    return png(pipe.image_processor.postprocess(pixels, output_type="pil")[0])


class _Recorder:
    """Keeps the latents of one batch after every step, times the steps, and stops the run when asked."""

    def __init__(self, pipe: Any, watch: Watch, number: int, batches: int) -> None:
        self._pipe = pipe
        self._watch = watch
        self._number = number
        self._batches = batches
        self._latents: list[torch.Tensor] = []
        self._last_s = time.perf_counter()
        self.step_s: list[float] = []

    def wrap(self, prepare: Callable[..., Any]) -> Callable[..., Any]:
        """Let the pipeline's own ``prepare_latents`` run, and keep what it returns as step 0."""

        def prepare_and_keep(*args: Any, **kwargs: Any) -> Any:
            prepared = prepare(*args, **kwargs)
            self._keep(prepared[0] if isinstance(prepared, tuple) else prepared)
            self._last_s = time.perf_counter()
            return prepared

        return prepare_and_keep

    def step(self, _pipe: Any, index: int, _timestep: Any, tensors: dict[str, Any]) -> dict[str, Any]:
        """Take note of one finished step; the copy to the CPU waits for the device, so the time is real."""
        latents = tensors["latents"]
        self._keep(latents)
        now = time.perf_counter()
        self.step_s.append(now - self._last_s)
        if self._watch.stopped():
            raise JobStopped(f"stopping after step {index + 1}: the job was cancelled")
        steps = self._pipe.num_timesteps
        due = self._watch.preview_every and (index + 1) % self._watch.preview_every == 0 and index + 1 < steps
        preview = decoded(self._pipe, latents[:1]) if due else b""
        self._watch.progress(self._number * steps + index + 1, self._batches * steps, preview)
        self._last_s = time.perf_counter()
        return {}

    def by_picture(self, wanted: int) -> list[list[bytes]]:
        """Return the kept latents of the first ``wanted`` pictures of the batch as bytes."""
        arrays = [latents.numpy().astype("<f4", copy=False) for latents in self._latents]
        return [[array[picture].tobytes() for array in arrays] for picture in range(wanted)]

    def _keep(self, latents: torch.Tensor) -> None:
        self._latents.append(latents.detach().to("cpu", torch.float32, copy=True))


def _dtype(name: str) -> torch.dtype:
    kinds = {"float32": torch.float32, "float16": torch.float16, "bfloat16": torch.bfloat16}
    if name not in kinds:
        raise ConfigError(f"loading a model: gpu_dtype is {name!r}; it must be one of {', '.join(kinds)}")
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
