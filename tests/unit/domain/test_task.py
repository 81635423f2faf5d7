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


FROM_IMAGE = {"mode": "image-to-image", "source_hash": b"\1" * 32}


@pytest.mark.parametrize(
    "change",
    [
        {},
        FROM_IMAGE | {"strength_millionths": 62_500},
        FROM_IMAGE | {"strength_millionths": 10**6, "mode": "inpainting", "mask_hash": b"\2" * 32},
        {"loras_hash": b"\3" * 32},
    ],
)
def test_validate__within_limits__passes(change):
    validate(msgspec.structs.replace(GOOD, **change))


@pytest.mark.parametrize(
    ("steps", "strength", "made"), [(16, 0.5, 8), (10, 0.3, 3), (100, 0.29, 28), (16, 1.0, 16), (150, 0.999999, 149)]
)
def test_denoising_steps__with_a_source__as_many_as_diffusers_makes(steps, strength, made):
    task = msgspec.structs.replace(GOOD, **FROM_IMAGE, steps=steps, strength_millionths=round(strength * 10**6))
    assert task.denoising_steps == made == min(int(steps * strength), steps)
    assert task.pixel_steps == 64 * 64 * made
    assert GOOD.denoising_steps == GOOD.steps


def test_inputs__in_order_of_source_mask_loras__only_those_there_are():
    assert GOOD.inputs == ()
    named = {"source_hash": b"\1" * 32, "loras_hash": b"\3" * 32}
    assert msgspec.structs.replace(GOOD, **named).inputs == (b"\1" * 32, b"\3" * 32)


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
        ({"source_hash": b"\1" * 32}, "source_hash", "text-to-image takes none"),
        ({"mode": "image-to-image", "strength_millionths": 1}, "source_hash", "image-to-image needs one"),
        ({"mode": "inpainting", "source_hash": b"\1" * 32}, "mask_hash", "inpainting needs one"),
        ({"mask_hash": b"\1" * 31}, "mask_hash", "32 bytes"),
        ({"loras_hash": b""}, "loras_hash", "32 bytes"),
        ({"strength_millionths": 1}, "strength", "0 to 0"),
        (FROM_IMAGE | {"strength_millionths": 0}, "strength", "1 to 1,000,000"),
        (FROM_IMAGE | {"strength_millionths": 1_000_001}, "strength", "1 to 1,000,000"),
        (FROM_IMAGE | {"strength_millionths": 62_499}, "strength", "1/16 or more"),
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
