"""Which waiting tasks are drawn together."""

from collections import deque

import pytest

from cuckoo.domain.task import TaskParameters
from cuckoo.inference.batches import bucket_for, take_together


def task(name, **changes):
    wanted = {
        "salt": bytes(32),
        "model_digest": "ab" * 32,
        "prompt": name,
        "width_px": 64,
        "height_px": 64,
        "steps": 4,
        "guidance_thousandths": 4_000,
        "seed": 7,
        "reproducible": False,
        **changes,
    }
    return TaskParameters(**wanted)


def taken(waiting, most):
    """Return the prompts of those that are taken, the bucket, and the prompts of those that wait on."""
    queue = deque(waiting)
    together, bucket = take_together(queue, most, lambda one: one)
    return "".join(one.prompt for one in together), bucket, "".join(one.prompt for one in queue)


@pytest.mark.parametrize(
    ("pictures", "most", "bucket"), [(1, 8, 1), (2, 8, 2), (3, 8, 4), (5, 4, 4), (8, 8, 8), (3, 1, 1)]
)
def test_bucket__is_the_smallest_that_holds_them(pictures, most, bucket):
    assert bucket_for(pictures, most) == bucket


def test_together__of_one_shape__first_come_first_drawn():
    assert taken([task(name) for name in "abcde"], 4) == ("abcd", 4, "e")
    assert taken([task(name) for name in "abc"], 8) == ("abc", 4, "")
    assert taken([task("a"), task("b")], 1) == ("a", 1, "b")


@pytest.mark.parametrize(
    "change",
    [
        {"width_px": 72},
        {"steps": 5},
        {"scheduler": "LCMScheduler"},
        {"guidance_thousandths": 0},
        {"negative_prompt": "blurred"},
        {"model_digest": "cd" * 32},
        {"reproducible": True},
    ],
)
def test_together__another_shape_between_them__waits_for_its_own_turn(change):
    assert taken([task("a"), task("b", **change), task("c")], 4) == ("ac", 2, "b")


def test_together__reproducible_first__is_drawn_alone():
    assert taken([task("a", reproducible=True), task("b", reproducible=True)], 4) == ("a", 1, "b")


def test_together__several_pictures__counted():
    assert taken([task("a", pictures=3), task("b", pictures=2), task("c")], 4) == ("ac", 4, "b")
    assert taken([task("a", pictures=6), task("b")], 4) == ("a", 4, "b")
