"""Who is right, where makers of one task do not agree."""

from collections.abc import Sequence

from cuckoo.domain.identifiers import NodeId, TaskId
from cuckoo.domain.tolerance import Likeness
from cuckoo.protocol.likeness import Made, compare


class Work(Made, frozen=True, kw_only=True):
    """What somebody made of a task; its pictures were checked when they came in.

    Attributes:
        by: the miner; None for the coordinator's own device.
        task_id, attempt: what it was given as; None and 0 for that device.
    """

    by: NodeId | None
    task_id: TaskId | None = None
    attempt: int = 0


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
