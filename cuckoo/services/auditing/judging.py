"""Whether two makers of one task made the same pictures."""

from collections.abc import Sequence

import msgspec

from cuckoo.domain.identifiers import NodeId, TaskId
from cuckoo.domain.task import RuntimeProfile
from cuckoo.domain.tolerance import EQUAL, Likeness, tolerance
from cuckoo.protocol.png import difference


class Work(msgspec.Struct, frozen=True, kw_only=True):
    """What somebody made of a task.

    Attributes:
        by: the miner; None for the coordinator's own device.
        task_id, attempt: what it was given as; None and 0 for that device.
        picture_hashes: pixel hashes, in order.
        pictures: PNG files, in order; checked when they came in.
    """

    by: NodeId | None
    profile: RuntimeProfile
    picture_hashes: tuple[bytes, ...]
    latents_root: bytes
    pictures: tuple[bytes, ...]
    task_id: TaskId | None = None
    attempt: int = 0


def compare(one: Work, other: Work) -> Likeness:
    """Compare two works of one task.

    Where the runtime profiles are equal, pixels and latents have to be; elsewhere pictures may lie apart as far as
    honest ones do.
    """
    bounds = tolerance(one.profile, other.profile)
    same = one.picture_hashes == other.picture_hashes
    if bounds is EQUAL:
        return Likeness.SAME if same and one.latents_root == other.latents_root else Likeness.DIFFERENT
    if same:
        return Likeness.SAME
    if len(one.pictures) != len(other.pictures):
        return Likeness.DIFFERENT
    found = {bounds.judge(difference(*pair)[0]) for pair in zip(one.pictures, other.pictures, strict=True)}
    return next((worst for worst in (Likeness.DIFFERENT, Likeness.UNCLEAR) if worst in found), Likeness.SAME)


def outvoted(original: Work, opinions: Sequence[Work]) -> tuple[Likeness, Work | None]:
    """Weigh what others made of a task against the original.

    Returns:
        SAME: the original stands; DIFFERENT: it is wrong; UNCLEAR: one more opinion is needed. And the opinion that
        stands alone against the others, where there is one.
    """
    for number, opinion in enumerate(opinions):
        likeness = compare(original, opinion)
        if likeness is Likeness.SAME:
            wrong = next((one for one in opinions[:number] if compare(opinion, one) is Likeness.DIFFERENT), None)
            return Likeness.SAME, wrong
        agrees = any(compare(one, opinion) is Likeness.SAME for one in opinions[:number])
        if likeness is Likeness.DIFFERENT and (agrees or opinion.by is None):
            return Likeness.DIFFERENT, None
    return Likeness.UNCLEAR, None
