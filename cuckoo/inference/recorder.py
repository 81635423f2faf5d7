"""Watches one batch of a pipeline from its starting noise to its decoding."""

import threading
import time
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Self

import torch

from cuckoo.inference.drawing import JobStopped, Watch, png
from cuckoo.inference.line import Advance


@dataclass(frozen=True)
class Followed:
    """A job with pictures in a batch.

    Attributes:
        watch: told about every step.
        at: of its first picture in the batch.
        number: of the batch among those of the job, from 0.
        batches: of the job.
    """

    watch: Watch
    at: int
    number: int
    batches: int


class Recorder:
    """Keeps the latents of one batch after every step, times the steps, and stops the run when asked.

    A batch passes three stages: text encoding, denoising, decoding. It stands in the first when its pipeline is
    called, in the second once its starting noise is drawn, in the third after the last step.
    """

    def __init__(
        self,
        pipe: Any,
        jobs: Sequence[Followed],
        advance: Advance,
        decoder: threading.Lock,
        *,
        steps: int,
        last: bool,
    ) -> None:
        """Watch a batch.

        Args:
            pipe: the pipeline, this batch's own copy.
            jobs: whose pictures are in it; their watches are told about every step.
            advance: to the next stage.
            decoder: held by whoever uses the decoder.
            steps: as the task asks for them; a scheduler may take more.
            last: no other batch of theirs begins after it.
        """
        self._pipe = pipe
        self._jobs = jobs
        self._advance = advance
        self._decoder = decoder
        self._asked = steps
        self._last = last
        self._latents: list[torch.Tensor] = []
        self._last_s = 0.0
        self._decodes = False
        self.step_s: list[float] = []

    def __enter__(self) -> Self:
        """Stand in for the pipeline's ``prepare_latents``."""
        prepare = self._pipe.prepare_latents

        def prepare_and_keep(*args: Any, **kwargs: Any) -> Any:
            prepared = prepare(*args, **kwargs)
            self._keep(prepared[0] if isinstance(prepared, tuple) else prepared)
            self._advance()
            if not self._wanted():
                raise JobStopped("stopping before the first step: the job was cancelled")
            self._begin_step(self._asked)
            return prepared

        self._pipe.prepare_latents = prepare_and_keep
        return self

    def __exit__(self, *_: object) -> None:
        """Leave the decoder to others."""
        if self._decodes:
            self._decoder.release()

    def step(self, _pipe: Any, index: int, _timestep: Any, tensors: dict[str, Any]) -> dict[str, Any]:
        """Take note of one finished step; the copy to the CPU waits for the device, so the time is real."""
        latents = tensors["latents"]
        self._keep(latents)
        self.step_s.append(time.perf_counter() - self._last_s)
        wanted = self._wanted()
        if not wanted:
            raise JobStopped(f"stopping after step {index + 1}: the job was cancelled")
        steps = self._pipe.num_timesteps
        for job in wanted:
            every = job.watch.preview_every
            due = every and (index + 1) % every == 0 and index + 1 < steps
            preview = self._preview(latents[job.at : job.at + 1]) if due else b""
            job.watch.progress(job.number * steps + index + 1, job.batches * steps, preview)
        if index + 1 < steps:
            self._begin_step(steps - index - 1)
            return {}
        self._advance()
        self._decoder.acquire()
        self._decodes = True
        return {}

    def by_picture(self, wanted: int) -> list[list[bytes]]:
        """Return the kept latents of the first ``wanted`` pictures of the batch as bytes."""
        arrays = [latents.numpy().astype("<f4", copy=False) for latents in self._latents]
        return [[array[picture].tobytes() for array in arrays] for picture in range(wanted)]

    def _wanted(self) -> list[Followed]:
        return [job for job in self._jobs if not job.watch.stopped()]

    def _begin_step(self, left: int) -> None:
        if left == 1 and self._last:
            self._jobs[0].watch.nearly()
        self._last_s = time.perf_counter()

    def _keep(self, latents: torch.Tensor) -> None:
        self._latents.append(latents.detach().to("cpu", torch.float32, copy=True))

    def _preview(self, latents: torch.Tensor) -> bytes:
        """Decode a picture as it stands; nothing while the batch before is being decoded."""
        if not self._decoder.acquire(blocking=False):
            return b""
        try:
            return decoded(self._pipe, latents)
        finally:
            self._decoder.release()


def decoded(pipe: Any, latents: torch.Tensor) -> bytes:
    """Return what one picture's latents, finished or not, look like, as a PNG file."""
    vae = pipe.vae
    scaled = latents / vae.config.scaling_factor + (getattr(vae.config, "shift_factor", None) or 0)
    kind = vae.dtype
    wide = kind == torch.float16 and getattr(vae.config, "force_upcast", False)  # such a decoder overflows
    if wide:
        vae.to(torch.float32)
    try:
        pixels = vae.decode(scaled.to(vae.dtype), return_dict=False)[0]
    finally:
        if wide:
            vae.to(kind)
    return png(pipe.image_processor.postprocess(pixels, output_type="pil")[0])
