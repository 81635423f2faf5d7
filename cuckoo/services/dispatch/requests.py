"""Turn what an app asks for into the parameters that are signed, or say which limit stands against it."""

from collections.abc import Callable

from msgspec.structs import replace

from cuckoo.domain.errors import InvalidField
from cuckoo.domain.model import ModelInfo
from cuckoo.domain.task import GUIDANCE_MAX_THOUSANDTHS, PICTURES_MAX, TaskParameters, validate
from cuckoo.protocol.messages import TaskRequest
from cuckoo.services.dispatch.catalogue import Catalogue

_GUIDANCE_MAX = GUIDANCE_MAX_THOUSANDTHS / 1_000
_SALT_BYTES = 32
_DRAWN_SEEDS = 2**53 - PICTURES_MAX  # every reader of JSON can hold them, JavaScript too
_DEFAULTED = ("width_px", "height_px", "steps", "guidance")


def parameters_of(request: TaskRequest, catalogue: Catalogue, draw_bytes: Callable[[int], bytes]) -> TaskParameters:
    """Fill in the model's defaults and check every limit.

    Args:
        request: as the app sent it.
        catalogue: the models there are.
        draw_bytes: returns so many random bytes, for the salt and a missing seed.

    Raises:
        InvalidField: names the field, the value and the limit.
    """
    digest, model = catalogue.find(request.model)
    request = _with_defaults(request, model)
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
        reproducible=request.reproducible,
    )
    validate(parameters)
    catalogue.check_size(digest, parameters.width_px, parameters.height_px, parameters.steps)
    return parameters


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
