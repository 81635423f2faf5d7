"""A model as a coordinator offers it: what a task may leave out, and what it may not exceed."""

from collections.abc import Mapping

import msgspec

from cuckoo.domain.identifiers import ModelDigest
from cuckoo.domain.task import SCHEDULERS


class ModelInfo(msgspec.Struct, frozen=True, kw_only=True):
    """A model that this installation knows by name.

    Attributes:
        title: one line for lists.
        width_px, height_px, steps, guidance, scheduler: what a task gets when it does not say otherwise.
        max_pixels: width times height of one picture.
        max_steps: denoising steps.
        schedulers: that a task may name.
        loras: digests of its LoRAs by name.
    """

    name: str
    digest: ModelDigest
    title: str = ""
    width_px: int
    height_px: int
    steps: int
    guidance: float
    scheduler: str = ""
    max_pixels: int
    max_steps: int
    schedulers: tuple[str, ...] = SCHEDULERS
    loras: Mapping[str, str] = {}
