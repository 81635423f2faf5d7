"""What a challenge asks for, and whether an answer shows it."""

from cuckoo.domain.errors import InvalidField
from cuckoo.domain.keccak import latent_leaf, merkle_verify
from cuckoo.domain.task import TaskParameters
from cuckoo.protocol.messages import Challenge, ChallengeAnswer


def wanted(challenge: Challenge, last: int) -> tuple[int, ...]:
    """Return which latents a challenge asks for.

    These are the starting noise, the latents that the step is made from, those that it made, and the last ones, which
    became the picture.

    Args:
        challenge: see there.
        last: number of the last latents of a picture, that of its steps.
    """
    first = max(0, challenge.step - challenge.history + 1)
    return tuple(sorted({0, *range(first, challenge.step + 2), last}))


def check_answer(
    answer: ChallengeAnswer, challenge: Challenge, parameters: TaskParameters, latents_root: bytes
) -> dict[int, bytes]:
    """Check that an answer shows what was asked for, and that the receipt's root binds it.

    Args:
        answer: the miner's.
        challenge: the question.
        parameters: of the task.
        latents_root: the root that the receipt signs.

    Returns:
        The latents by number.

    Raises:
        InvalidField: names what is wrong.
    """
    steps = wanted(challenge, parameters.steps)
    shown = tuple(one.step for one in answer.latents)
    if shown != steps:
        raise InvalidField("latents", list(shown), f"must be those of the steps {list(steps)}, in this order")
    each = parameters.steps + 1
    for one in answer.latents:
        leaf = latent_leaf(challenge.picture, one.step, one.payload)
        index = challenge.picture * each + one.step
        if not merkle_verify(latents_root, leaf, index, parameters.pictures * each, one.proof):
            raise InvalidField("latents", f"those of step {one.step}", "must be what the receipt's latents root binds")
    return {one.step: one.payload for one in answer.latents}
