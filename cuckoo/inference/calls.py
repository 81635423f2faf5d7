"""The pipelines that diffusers has for one model, and what they are called with. Runs in the child only."""

import copy
import inspect
from collections.abc import Sequence
from typing import Any

import diffusers
import torch
from PIL import Image

from cuckoo.domain import task
from cuckoo.domain.errors import InvalidField
from cuckoo.domain.lora import Lora, decode_loras
from cuckoo.domain.task import Mode, TaskParameters
from cuckoo.protocol.inputs import unpacked


class Calls:
    """A model's pipelines, by what they start from; they share its weights."""

    def __init__(self, pipe: Any) -> None:
        """Take the one that starts from text, and find the others."""
        self._pipes = _pipes(pipe)
        self._accepted = {mode: _accepted(one) for mode, one in self._pipes.items()}

    @property
    def modes(self) -> tuple[str, ...]:
        """From what pictures are made."""
        return tuple(self._pipes)

    def pipe(self, mode: Mode) -> Any:
        """Return a pipeline to be called once: a copy, which shares the weights and keeps its own state."""
        return copy.copy(self._pipes[mode])

    def takes(self, mode: Mode, argument: str) -> bool:
        """Tell whether a pipeline has an argument of this name."""
        return argument in self._accepted[mode]

    def arguments(
        self, pictures: Sequence[tuple[TaskParameters, int]], inputs: tuple[bytes, ...] = ()
    ) -> dict[str, Any]:
        """Build the pipeline's arguments for a batch.

        Each generator is on the CPU, so the start does not depend on the GPU model (diffusers recommends the same).

        Args:
            pictures: (task, number of the picture), all of one shape, or of one task.
            inputs: of that task, in the order of ``parameters.inputs``.

        Raises:
            InvalidField: an input is not what the task names.
        """
        first, _ = pictures[0]
        seeds = [parameters.seed + number for parameters, number in pictures]
        negative = [parameters.negative_prompt for parameters, _ in pictures]
        arguments = {
            "prompt": [parameters.prompt for parameters, _ in pictures],
            "negative_prompt": negative if first.negative_prompt else None,
            "width": first.width_px,
            "height": first.height_px,
            "num_inference_steps": first.steps,
            "guidance_scale": first.guidance_thousandths / 1000,
            "generator": [torch.Generator("cpu").manual_seed(seed) for seed in seeds],
            "output_type": "pil",
            "callback_on_step_end_tensor_inputs": ["latents"],
        }
        sources = _images(first, inputs)
        if sources:
            arguments |= {name: [image] * len(pictures) for name, image in sources.items()}
            arguments["strength"] = first.strength_millionths / task.STRENGTH_MAX_MILLIONTHS
        accepted = self._accepted[Mode(first.mode)]
        return {name: value for name, value in arguments.items() if name in accepted}


def loras_of(parameters: TaskParameters, inputs: tuple[bytes, ...]) -> tuple[Lora, ...]:
    """Return the LoRAs that a task names; raises InvalidField where the list of them is not there or wrong."""
    if parameters.loras_hash == task.NO_HASH:
        return ()
    payload = dict(zip(parameters.inputs, inputs, strict=False)).get(parameters.loras_hash, b"")
    if not payload:
        raise InvalidField("loras", "no list", "must be there, the task names one")
    return decode_loras(payload)


def _images(parameters: TaskParameters, inputs: tuple[bytes, ...]) -> dict[str, Image.Image]:
    """Return the source and the mask as the pipeline calls them; raises InvalidField."""
    names = {parameters.source_hash: "image", parameters.mask_hash: "mask_image"}
    given = dict(zip(parameters.inputs, inputs, strict=False))
    return {
        name: unpacked(given.get(digest, b""), parameters.width_px, parameters.height_px, name)
        for digest, name in names.items()
        if digest != task.NO_HASH
    }


def _accepted(pipe: Any) -> frozenset[str]:
    return frozenset(inspect.signature(pipe.__call__).parameters)


def shows_latents(pipe: Any) -> bool:
    """Tell whether a pipeline can be watched at each step."""
    return "callback_on_step_end" in _accepted(pipe) and "latents" in getattr(pipe, "_callback_tensor_inputs", ())


def _pipes(pipe: Any) -> dict[Mode, Any]:
    """Return the pipelines that diffusers has for a model's kind, by what they start from; they share its weights."""
    found = {Mode.TEXT: pipe}
    for mode, kind in (
        (Mode.IMAGE, diffusers.AutoPipelineForImage2Image),
        (Mode.INPAINTING, diffusers.AutoPipelineForInpainting),
    ):
        try:
            other = kind.from_pipe(pipe)
        except ValueError:  # none for this kind of model
            continue
        if shows_latents(other):
            found[mode] = other
    for one in found.values():
        one.set_progress_bar_config(disable=True)
    return found
