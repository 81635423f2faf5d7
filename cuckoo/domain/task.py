"""What a task asks for, its limits, and the runtime profile that decides the exact pixels besides it."""

from enum import StrEnum

import msgspec

from cuckoo.domain.errors import InvalidField
from cuckoo.domain.identifiers import ModelDigest, parse_model_digest

SIDE_MIN_PX, SIDE_MAX_PX, SIDE_STEP_PX = 64, 2_048, 8
STEPS_MAX = 150
PICTURES_MAX = 8
PROMPT_MAX = 2_000
GUIDANCE_MAX_THOUSANDTHS = 50_000
SEED_MAX = 2**63 - 1
NO_HASH = bytes(32)
STRENGTH_MAX_MILLIONTHS = 10**6

SCHEDULERS = (
    "DDIMScheduler",
    "EulerDiscreteScheduler",
    "EulerAncestralDiscreteScheduler",
    "DPMSolverMultistepScheduler",
    "LCMScheduler",
    "PNDMScheduler",
    "UniPCMultistepScheduler",
)
"""Schedulers by the name that diffusers gives them. Empty: the one the model's folder names."""


class Mode(StrEnum):
    """What a picture is made from besides the prompt."""

    TEXT = "text-to-image"
    IMAGE = "image-to-image"
    INPAINTING = "inpainting"


class TaskStatus(StrEnum):
    """Where a task stands. ``done``, ``failed`` and ``cancelled`` are final."""

    QUEUED = "queued"
    RUNNING = "running"
    DONE = "done"
    FAILED = "failed"
    CANCELLED = "cancelled"

    @property
    def final(self) -> bool:
        """Whether nothing can change any more."""
        return self in (TaskStatus.DONE, TaskStatus.FAILED, TaskStatus.CANCELLED)


class TaskParameters(msgspec.Struct, frozen=True, kw_only=True):
    """Everything that determines the picture, besides the runtime profile. Hashed by EIP-712 into the assignment.

    Attributes:
        salt: 32 random bytes, so that nobody guesses a prompt from its hash.
        mode: one of :class:`Mode`.
        model_digest: the model's files, see docs/protocol.md.
        width_px, height_px: 64..2048 in steps of 8.
        pictures: 1..8; picture i starts from seed + i.
        steps: denoising steps from noise to picture, 1..150; with a source only a part of them is made.
        scheduler: diffusers' name, or "" for the model's own.
        guidance_thousandths: classifier-free guidance scale in thousandths, 0..50000.
        seed: 0 <= seed < 2**63.
        source_hash, mask_hash: pixel hashes of pictures that go in, of the same sides; zero without. White in the mask
            is drawn anew, black stays.
        strength_millionths: how much of the source is replaced, 1..1000000; 0 without a source.
        loras_hash: sha256 of the list of LoRAs as :mod:`cuckoo.domain.lora` writes it; zero for none.
        reproducible: run alone in its batch (batch bucket 1).
    """

    salt: bytes
    model_digest: ModelDigest
    prompt: str
    negative_prompt: str = ""
    width_px: int
    height_px: int
    pictures: int = 1
    steps: int
    scheduler: str = ""
    guidance_thousandths: int
    seed: int
    mode: str = "text-to-image"
    source_hash: bytes = NO_HASH
    mask_hash: bytes = NO_HASH
    strength_millionths: int = 0
    loras_hash: bytes = NO_HASH
    reproducible: bool = True

    @property
    def denoising_steps(self) -> int:
        """Steps that are made for one picture, as diffusers counts them: with a source, the last ones only."""
        if self.mode == Mode.TEXT:
            return self.steps
        return min(int(self.steps * (self.strength_millionths / STRENGTH_MAX_MILLIONTHS)), self.steps)

    @property
    def pixel_steps(self) -> int:
        """Pixels times steps over all pictures: the amount of work."""
        return self.width_px * self.height_px * self.denoising_steps * self.pictures

    @property
    def inputs(self) -> tuple[bytes, ...]:
        """Hashes of what goes in besides the text: source, mask, list of LoRAs, as far as there are any."""
        return tuple(one for one in (self.source_hash, self.mask_hash, self.loras_hash) if one != NO_HASH)


class RuntimeProfile(msgspec.Struct, frozen=True, kw_only=True):
    """What decides the exact pixels besides the task.

    Attributes:
        device: device class, for example "cpu" or "NVIDIA H200".
        dtype: "float32", "bfloat16" or "float16".
        torch: its version.
        attention: the attention kernel.
        threads: CPU threads; 0 on a GPU.
        isa: the CPU's vector instructions as torch names them; "" on a GPU.
        batch_bucket: the fixed batch size it ran in.
    """

    device: str
    dtype: str
    torch: str
    attention: str
    threads: int
    isa: str
    batch_bucket: int


def _within(field: str, value: int, low: int, high: int) -> None:
    if not low <= value <= high:
        raise InvalidField(field, value, f"must be {low:,} to {high:,}")


def validate(parameters: TaskParameters) -> None:
    """Check every parameter against its limit.

    Raises:
        InvalidField: names the first field that breaks its limit, the value, and the limit.
    """
    for field, side in (("width_px", parameters.width_px), ("height_px", parameters.height_px)):
        _within(field, side, SIDE_MIN_PX, SIDE_MAX_PX)
        if side % SIDE_STEP_PX:
            raise InvalidField(field, side, f"must be a multiple of {SIDE_STEP_PX}")
    _within("pictures", parameters.pictures, 1, PICTURES_MAX)
    _within("steps", parameters.steps, 1, STEPS_MAX)
    _within("guidance", parameters.guidance_thousandths, 0, GUIDANCE_MAX_THOUSANDTHS)
    _within("seed", parameters.seed, 0, SEED_MAX - PICTURES_MAX)
    for field, text in (("prompt", parameters.prompt), ("negative_prompt", parameters.negative_prompt)):
        if len(text) > PROMPT_MAX:
            raise InvalidField(field, f"{len(text):,} characters", f"at most {PROMPT_MAX:,} characters")
        try:
            text.encode()
        except UnicodeEncodeError:
            raise InvalidField(field, text, "must be valid Unicode, without lone surrogates") from None
    if parameters.scheduler and parameters.scheduler not in SCHEDULERS:
        raise InvalidField("scheduler", parameters.scheduler, f"must be empty or one of {', '.join(SCHEDULERS)}")
    _validate_inputs(parameters)
    parse_model_digest(parameters.model_digest)
    if len(parameters.salt) != 32:
        raise InvalidField("salt", parameters.salt.hex(), "must be 32 bytes")


_HASH_BYTES = 32


def _validate_inputs(parameters: TaskParameters) -> None:
    if parameters.mode not in list(Mode):
        raise InvalidField("mode", parameters.mode, f"must be one of {', '.join(Mode)}")
    mode = Mode(parameters.mode)
    for field, wanted in (("source_hash", mode is not Mode.TEXT), ("mask_hash", mode is Mode.INPAINTING)):
        value = getattr(parameters, field)
        if len(value) != _HASH_BYTES:
            raise InvalidField(field, value.hex(), f"must be {_HASH_BYTES} bytes")
        if (value != NO_HASH) != wanted:
            raise InvalidField(field, value.hex(), f"{mode} {'needs one' if wanted else 'takes none'}")
    if len(parameters.loras_hash) != _HASH_BYTES:
        raise InvalidField("loras_hash", parameters.loras_hash.hex(), f"must be {_HASH_BYTES} bytes")
    if mode is Mode.TEXT:
        _within("strength", parameters.strength_millionths, 0, 0)
        return
    _within("strength", parameters.strength_millionths, 1, STRENGTH_MAX_MILLIONTHS)
    if not parameters.denoising_steps:
        strength = parameters.strength_millionths / STRENGTH_MAX_MILLIONTHS
        raise InvalidField("strength", strength, f"must leave one step at least: 1/{parameters.steps} or more")
