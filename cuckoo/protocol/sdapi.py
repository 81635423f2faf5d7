"""The part of AUTOMATIC1111's API that asks for pictures. Source: its ``modules/api/models.py``, version 1.10."""

from typing import Any

import msgspec

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
