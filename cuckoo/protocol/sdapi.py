"""The part of AUTOMATIC1111's API that asks for pictures. Source: its ``modules/api/models.py``, version 1.10."""

import re
from typing import Any

import msgspec

from cuckoo.domain.errors import InvalidField
from cuckoo.protocol.messages import LoraWish

SAMPLERS = {
    "Euler a": "EulerAncestralDiscreteScheduler",
    "Euler": "EulerDiscreteScheduler",
    "DDIM": "DDIMScheduler",
    "DPM++ 2M": "DPMSolverMultistepScheduler",
    "LCM": "LCMScheduler",
    "PLMS": "PNDMScheduler",
    "UniPC": "UniPCMultistepScheduler",
}
"""Its names, and diffusers' ones."""


_LORA = re.compile(r"<lora:([^:<>]{1,100})(?::(-?[0-9.]{1,10}))?>")


def split_loras(prompt: str) -> tuple[str, tuple[LoraWish, ...]]:
    """Take LoRAs out of a prompt, ``<lora:name:weight>``; returns the rest and them. Raises InvalidField."""
    try:
        loras = tuple(LoraWish(lora=name, weight=float(weight or 1)) for name, weight in _LORA.findall(prompt))
    except ValueError:
        raise InvalidField("prompt", prompt, "has a LoRA whose weight is no number") from None
    return _LORA.sub("", prompt).strip() if loras else prompt, loras


class Txt2Img(msgspec.Struct, frozen=True, kw_only=True):
    """A request; everything else that its clients send is ignored, as it would be without the extension it is for."""

    prompt: str = ""
    negative_prompt: str = ""
    seed: int = -1
    steps: int | None = None
    cfg_scale: float | None = None
    width: int | None = None
    height: int | None = None
    batch_size: int = 1
    n_iter: int = 1
    sampler_name: str | None = None
    sampler_index: str | None = None
    override_settings: dict[str, Any] | None = None
    send_images: bool = True


class Img2Img(Txt2Img, frozen=True, kw_only=True):
    """A request with a picture to start from. White in the mask is drawn anew; ``inpainting_mask_invert``: black."""

    init_images: tuple[str, ...] = ()
    mask: str | None = None
    denoising_strength: float = 0.75
    inpainting_mask_invert: int = 0
    include_init_images: bool = False


class Pictures(msgspec.Struct, frozen=True, kw_only=True):
    """The answer: PNG files in base64, what was asked, and JSON in a text about how they were made."""

    images: tuple[str, ...]
    parameters: dict[str, Any]
    info: str


class JobState(msgspec.Struct, frozen=True, kw_only=True):
    """What is being drawn for this caller."""

    skipped: bool = False
    interrupted: bool = False
    stopping_generation: bool = False
    job: str = ""
    job_count: int = 0
    job_timestamp: str = "0"
    job_no: int = 0
    sampling_step: int = 0
    sampling_steps: int = 0


class ProgressView(msgspec.Struct, frozen=True, kw_only=True):
    """How far it is: 0..1, seconds that are left, the picture as it stands in base64."""

    progress: float = 0.0
    eta_relative: float = 0.0
    state: JobState = JobState()
    current_image: str | None = None
    textinfo: str | None = None


class Refusal(msgspec.Struct, frozen=True, kw_only=True):
    """Every refusal."""

    error: str
    detail: str
    body: str = ""
    errors: str = ""
