"""One step of a picture made again from latents that somebody else shows. Runs in the child only.

The pipeline's own loop runs, so that text, time steps, guidance and decoding are its own: only the denoiser rests, with
zeros in its place, in all steps but those that count. The scheduler takes every step, and so brings its random numbers
to where they belong; what it makes of zeros is replaced by what was shown.
"""

import copy
from typing import Any

import torch
from PIL import Image

from cuckoo.inference.drawing import png
from cuckoo.inference.messages import Apart, Replay
from cuckoo.inference.pipelines import Pipeline
from cuckoo.inference.recorder import decoded
from cuckoo.protocol.png import difference

HISTORY = {
    "DDIMScheduler": 1,
    "DPMSolverMultistepScheduler": 2,
    "EulerAncestralDiscreteScheduler": 1,
    "EulerDiscreteScheduler": 1,
    "LCMScheduler": 1,
}
"""From how many latents these schedulers make a step exactly; found by experiment (`make replays`, docs/trust.md)."""

_FAR = Apart(exact=False, mean=255.0)


def replays(pipeline: Pipeline) -> dict[str, int]:
    """Return by scheduler that a model takes, "" for its own, from how many latents a step of it is made again."""
    unet = getattr(pipeline.pipe, "unet", None)
    if unet is None or unet.config.in_channels != unet.config.out_channels:
        return {}
    found = {name: _history(pipeline.scheduler(name)) for name in ("", *pipeline.model.limits.schedulers)}
    return {name: history for name, history in found.items() if history}


def _history(scheduler: Any) -> int:
    known = HISTORY.get(type(scheduler).__name__, 0)
    return max(known, scheduler.config.get("solver_order", 1)) if known else 0


class _Unfit(Exception):
    """Latents of another size than the model's."""


def run_again(pipeline: Pipeline, replay: Replay) -> tuple[Apart, Apart, Apart]:
    """Make a step again, with the model to itself.

    Returns:
        How far what was shown lies from what comes of it here: starting noise, latents after the step, picture.

    Raises:
        InvalidField: the task is none for this model.
    """
    pipeline.check(replay.parameters)
    return pipeline.alone(lambda: _run_again(pipeline, replay))


def _run_again(pipeline: Pipeline, replay: Replay) -> tuple[Apart, Apart, Apart]:
    loop = _Loop(pipeline, replay)
    with torch.inference_mode():
        try:
            image = loop.run()
        except _Unfit:
            return _FAR, _FAR, _FAR
        mean, largest = difference(png(image.convert("RGB")), replay.png)
        return (
            loop.apart(loop.noise, 0),
            loop.apart(loop.after, replay.step + 1),
            Apart(exact=largest == 0, mean=mean),
        )


class _Loop:
    """A pipeline's loop over what was shown, with the denoiser at work only where that counts.

    Attributes:
        noise: the starting noise of the seed.
        after: what the step made.
    """

    def __init__(self, pipeline: Pipeline, replay: Replay) -> None:
        self._pipeline = pipeline
        self._pipe = copy.copy(pipeline.pipe)
        self._starting_latents = self._pipe.prepare_latents
        self._replay = replay
        self._shown: dict[int, torch.Tensor] = {}
        self._first = replay.step - replay.history + 1
        self._at = 0
        self.noise = self.after = torch.empty(0)

    def run(self) -> Image.Image:
        """Run it; returns the picture that the last latents become."""
        pipe, replay = self._pipe, self._replay
        denoise = pipe.unet.forward

        def denoise_where_it_counts(sample: torch.Tensor, *args: Any, **kwargs: Any) -> Any:
            if self._first <= self._at <= replay.step:
                return denoise(sample, *args, **kwargs)
            return (torch.zeros_like(sample),)

        pipe.scheduler = self._pipeline.scheduler(replay.parameters.scheduler)
        pipe.prepare_latents = self._start
        pipe.unet.forward = denoise_where_it_counts
        try:
            arguments = self._pipeline.calls.arguments([(replay.parameters, replay.picture)])
            image: Image.Image = pipe(**arguments, callback_on_step_end=self._step).images[0]
        finally:
            del pipe.unet.forward
        return image

    def apart(self, made: torch.Tensor, number: int) -> Apart:
        """Compare what was made here with what was shown."""
        if made.to("cpu", torch.float32).numpy().astype("<f4").tobytes() == self._replay.latents[number]:
            return Apart(exact=True, mean=0.0)
        shown = decoded(self._pipe, self._shown[number])
        return Apart(exact=False, mean=difference(decoded(self._pipe, made), shown)[0])

    def _start(self, *args: Any, **kwargs: Any) -> Any:
        """Draw the noise as the pipeline does, which also brings the generator on; go on from what was shown."""
        prepared = self._starting_latents(*args, **kwargs)
        self.noise = prepared[0] if isinstance(prepared, tuple) else prepared
        for number, payload in self._replay.latents.items():
            if len(payload) != 4 * self.noise.numel():
                raise _Unfit
            flat = torch.frombuffer(bytearray(payload), dtype=torch.float32)
            self._shown[number] = flat.reshape(self.noise.shape).to(self.noise)
        return (self._shown[0], *prepared[1:]) if isinstance(prepared, tuple) else self._shown[0]

    def _step(self, _pipe: Any, index: int, _timestep: Any, tensors: dict[str, Any]) -> dict[str, Any]:
        if index == self._replay.step:
            self.after = tensors["latents"].clone()
        self._at = index + 1
        shown = self._shown.get(self._at)
        return {} if shown is None else {"latents": shown.to(tensors["latents"])}
