"""Turn what an app asks for into the parameters that are signed, or say which limit stands against it."""

from collections.abc import Callable

from msgspec.structs import replace

from cuckoo.domain.errors import InvalidField
from cuckoo.domain.lora import WEIGHT_MAX_THOUSANDTHS, Lora, check_loras, encode_loras, loras_hash
from cuckoo.domain.model import ModelInfo
from cuckoo.domain.task import (
    GUIDANCE_MAX_THOUSANDTHS,
    NO_HASH,
    PICTURES_MAX,
    STRENGTH_MAX_MILLIONTHS,
    Mode,
    TaskParameters,
    validate,
)
from cuckoo.protocol.inputs import Inputs, decoded, prepare
from cuckoo.protocol.messages import TaskRequest
from cuckoo.services.dispatch.catalogue import Catalogue

_GUIDANCE_MAX = GUIDANCE_MAX_THOUSANDTHS / 1_000
_WEIGHT_MAX = WEIGHT_MAX_THOUSANDTHS / 1_000
_SALT_BYTES = 32
_DRAWN_SEEDS = 2**53 - PICTURES_MAX  # every reader of JSON can hold them, JavaScript too
_DEFAULTED = ("width_px", "height_px", "steps", "guidance")


_STRENGTH = {Mode.TEXT: 0.0, Mode.IMAGE: 0.8, Mode.INPAINTING: 1.0}
"""What diffusers takes when it is not told; without a source there is none."""

_UNREAD = b"\xff" * 32
"""Stands for the hash of a picture that was not read yet."""


def parameters_of(request: TaskRequest, catalogue: Catalogue, draw_bytes: Callable[[int], bytes]) -> TaskParameters:
    """Fill in the model's defaults and check every limit but those of the pictures that go in.

    Args:
        request: as the app sent it.
        catalogue: the models there are.
        draw_bytes: returns so many random bytes, for the salt and a missing seed.

    Returns:
        The parameters, complete once :func:`pictures_of` has read the pictures.

    Raises:
        InvalidField: names the field, the value and the limit.
    """
    digest, model = catalogue.find(request.model)
    request = _with_defaults(request, model)
    mode = _mode(request)
    seed = request.seed
    if seed is None:
        seed = int.from_bytes(draw_bytes(8), "big") % _DRAWN_SEEDS
    parameters = TaskParameters(
        salt=draw_bytes(_SALT_BYTES),
        model_digest=digest,
        prompt=request.prompt,
        negative_prompt=request.negative_prompt,
        width_px=request.width_px or 0,
        height_px=request.height_px or 0,
        pictures=request.pictures,
        steps=request.steps or 0,
        scheduler=request.scheduler,
        guidance_thousandths=_guidance(request.guidance),
        seed=seed,
        mode=mode,
        source_hash=_UNREAD if request.source else NO_HASH,
        mask_hash=_UNREAD if request.mask else NO_HASH,
        strength_millionths=_strength(request.strength, mode),
        loras_hash=loras_hash(encode_loras(loras_of(request, catalogue))),
        reproducible=request.reproducible,
    )
    validate(parameters)
    catalogue.check_size(digest, parameters.width_px, parameters.height_px, parameters.steps)
    catalogue.check_kind(parameters)
    return parameters


def loras_of(request: TaskRequest, catalogue: Catalogue) -> tuple[Lora, ...]:
    """Find the LoRAs that are asked for; raises InvalidField."""
    if not request.loras:
        return ()
    digest, _ = catalogue.find(request.model)
    for wish in request.loras:
        if not abs(wish.weight) <= _WEIGHT_MAX:
            raise InvalidField("loras", wish.weight, f"weights must be {-_WEIGHT_MAX:g} to {_WEIGHT_MAX:g}")
    loras = tuple(
        Lora(digest=catalogue.find_lora(digest, wish.lora), weight_thousandths=round(wish.weight * 1_000))
        for wish in request.loras
    )
    check_loras(loras)
    return loras


def pictures_of(request: TaskRequest, parameters: TaskParameters) -> Inputs:
    """Read the pictures that go into a task; takes time that grows with them, so call it in a thread.

    Raises:
        InvalidField: says which, and what is wrong with it.
    """
    source = decoded(request.source, "source")
    mask = decoded(request.mask, "mask") if request.mask else b""
    return prepare(source, mask, parameters.width_px, parameters.height_px)


def _mode(request: TaskRequest) -> Mode:
    if request.mask and not request.source:
        raise InvalidField("mask", f"{len(request.mask):,} characters", "needs a source that it belongs to")
    if request.source:
        return Mode.INPAINTING if request.mask else Mode.IMAGE
    if request.strength is not None:
        raise InvalidField("strength", request.strength, "needs a source of which so much is replaced")
    return Mode.TEXT


def _strength(value: float | None, mode: Mode) -> int:
    strength = _STRENGTH[mode] if value is None else value
    if not 0 <= strength <= 1 or (value is not None and not round(value * STRENGTH_MAX_MILLIONTHS)):
        raise InvalidField("strength", value, "must be above 0, up to 1")
    return round(strength * STRENGTH_MAX_MILLIONTHS)


def _with_defaults(request: TaskRequest, model: ModelInfo | None) -> TaskRequest:
    missing = [field for field in _DEFAULTED if getattr(request, field) is None]
    if missing and model is None:
        raise InvalidField(missing[0], None, "must be given: this coordinator knows no default for this model")
    filled = {field: getattr(model, field) for field in missing}
    if not request.scheduler and model is not None:
        filled["scheduler"] = model.scheduler
    return replace(request, **filled)


def _guidance(value: float | None) -> int:
    if value is None or not 0 <= value <= _GUIDANCE_MAX:
        raise InvalidField("guidance", value, f"must be 0 to {_GUIDANCE_MAX:g}")
    return round(value * 1_000)
