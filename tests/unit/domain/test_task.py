"""Every limit of a task names the field, the value and the limit."""

import msgspec
import pytest

from cuckoo.domain.errors import InvalidField
from cuckoo.domain.task import SEED_MAX, TaskParameters, TaskStatus, validate

GOOD = TaskParameters(
    salt=bytes(32),
    model_digest="ab" * 32,
    prompt="a red apple",
    width_px=64,
    height_px=64,
    steps=16,
    guidance_thousandths=4_000,
    seed=7,
)


def test_validate__within_limits__passes():
    validate(GOOD)


@pytest.mark.parametrize(
    ("change", "field", "limit"),
    [
        ({"width_px": 0}, "width_px", "64 to 2,048"),
        ({"height_px": 100_000}, "height_px", "64 to 2,048"),
        ({"width_px": 100}, "width_px", "multiple of 8"),
        ({"steps": 0}, "steps", "1 to 150"),
        ({"steps": 10_000}, "steps", "1 to 150"),
        ({"pictures": 9}, "pictures", "1 to 8"),
        ({"guidance_thousandths": -1}, "guidance", "0 to 50,000"),
        ({"seed": SEED_MAX}, "seed", "0 to"),
        ({"seed": -1}, "seed", "0 to"),
        ({"prompt": "x" * 2_001}, "prompt", "2,000 characters"),
        ({"negative_prompt": "x" * 2_001}, "negative_prompt", "2,000 characters"),
        ({"prompt": "\ud800"}, "prompt", "valid Unicode"),
        ({"scheduler": "Magic"}, "scheduler", "DDIMScheduler"),
        ({"mode": "text-to-video"}, "mode", "text-to-image"),
        ({"source_hash": b"\1" * 32}, "source_hash", "takes no input"),
        ({"strength_millionths": 1}, "strength", "0 to 0"),
        ({"model_digest": "zz"}, "model", "64 lower-case hex"),
        ({"salt": b""}, "salt", "32 bytes"),
    ],
)
def test_validate__beyond_a_limit__names_field_and_limit(change, field, limit):
    with pytest.raises(InvalidField) as caught:
        validate(msgspec.structs.replace(GOOD, **change))
    assert caught.value.field == field
    assert limit in str(caught.value)
    assert len(str(caught.value)) < 400


def test_status__final_ones__are_final():
    assert [status for status in TaskStatus if status.final] == ["done", "failed", "cancelled"]
