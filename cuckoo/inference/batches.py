"""Which jobs may be drawn together, and how many at a time."""

from collections import deque
from collections.abc import Callable
from typing import TypeVar

from cuckoo.domain.task import TaskParameters

T = TypeVar("T")

BUCKETS = (1, 2, 4, 8)
"""Pictures in a batch. Pixels depend a little on this number, so there are few of them, and the profile names it."""


def shape(parameters: TaskParameters) -> tuple[object, ...] | None:
    """Return what must be equal for pictures to be drawn in one batch; None for a task that is to be drawn alone."""
    if parameters.reproducible or parameters.inputs:
        return None
    return (
        parameters.model_digest,
        parameters.width_px,
        parameters.height_px,
        parameters.steps,
        parameters.scheduler,
        parameters.guidance_thousandths,
        bool(parameters.negative_prompt),
    )


def bucket_for(pictures: int, most: int) -> int:
    """Return the smallest bucket that holds so many pictures, or the largest within ``most``."""
    allowed = [bucket for bucket in BUCKETS if bucket <= most]
    return next((bucket for bucket in allowed if bucket >= pictures), allowed[-1])


def take_together(
    waiting: deque[T], most: int, parameters: Callable[[T], TaskParameters | None]
) -> tuple[list[T], int]:
    """Take the first of those that wait, and whatever behind it fits into a batch with it.

    Args:
        waiting: in order of arrival, at least one; what is taken is removed.
        most: pictures in a batch.
        parameters: of one that waits; None for one that is no drawing.

    Returns:
        Those that were taken, and the bucket.
    """
    first = waiting.popleft()
    taken, asked = [first], parameters(first)
    wanted = shape(asked) if asked is not None else None
    if asked is None or wanted is None:
        return taken, 1
    pictures = asked.pictures
    for other in list(waiting):
        if pictures >= most:
            break
        further = parameters(other)
        if further is not None and shape(further) == wanted and pictures + further.pictures <= most:
            taken.append(other)
            waiting.remove(other)
            pictures += further.pictures
    return taken, bucket_for(pictures, most)
