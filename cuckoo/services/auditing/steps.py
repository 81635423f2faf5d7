"""Checks of a single step: what is asked of a miner, and what its answer says."""

import hashlib
import hmac
from typing import Protocol

from cuckoo.domain.errors import InvalidField
from cuckoo.domain.task import RuntimeProfile, TaskParameters
from cuckoo.domain.tolerance import EQUAL, Likeness, tolerance
from cuckoo.inference.messages import Apart, Replayed
from cuckoo.protocol.messages import Challenge, ChallengeAnswer, decode_binary
from cuckoo.protocol.openings import check_answer
from cuckoo.protocol.receipts import Receipt
from cuckoo.services.auditing.judging import Work

ANSWER_S = 60
"""So long a miner may take to show its latents."""

WHOLE = 0.25
"""This part of the results that could be checked by a step are made again as a whole: one step seldom meets the only
wrong one of many."""


class StepDevice(Protocol):
    """What makes steps again."""

    def history(self, parameters: TaskParameters, profile: RuntimeProfile) -> int:
        """Return from how many latents it makes a step of a task again as that profile would; 0 where it can not."""

    async def replay(
        self, parameters: TaskParameters, challenge: Challenge, latents: dict[int, bytes], png: bytes
    ) -> Replayed:
        """Make a step again, and say how far what was shown lies from it."""


def question(
    parameters: TaskParameters, receipt: bytes, device: StepDevice, secret: bytes, deadline: int
) -> Challenge | None:
    """Draw a step of a result to ask for; None when the whole is to be made again.

    Args:
        parameters: of the task.
        receipt: what the miner signed; with the secret it decides what is asked, so nobody could know before.
        device: what will make the step again.
        secret: the coordinator's.
        deadline: unix seconds.
    """
    history = device.history(parameters, decode_binary(receipt, Receipt).profile)
    drawn = hmac.digest(secret, b"step" + receipt, hashlib.sha256)
    whole, step, picture = (int.from_bytes(drawn[at : at + 8], "big") for at in (0, 8, 16))
    if not history or whole < WHOLE * 2**64:
        return None
    return Challenge(
        id=0,
        picture=picture % parameters.pictures,
        step=step % parameters.steps,
        history=history,
        deadline=deadline,
    )


async def judge(
    challenge: Challenge, answer: bytes, parameters: TaskParameters, original: Work, device: StepDevice
) -> tuple[Likeness, str]:
    """Judge an answer.

    Returns:
        SAME, DIFFERENT or UNCLEAR, and what was found.

    Raises:
        CuckooError: the device did not do it.
    """
    try:
        shown = decode_binary(answer, ChallengeAnswer)
        latents = check_answer(shown, challenge, parameters, original.latents_root)
    except InvalidField as fault:
        return Likeness.DIFFERENT, f"asked for step {challenge.step} of picture {challenge.picture}: {fault}"
    found = await device.replay(parameters, challenge, latents, original.pictures[challenge.picture])
    parts = {
        "its starting noise is not that of the seed": found.noise,
        f"step {challenge.step} of picture {challenge.picture} gives other latents": found.step,
        "its last latents do not become the picture": found.decoded,
    }
    judged = {what: _likeness(apart, original.profile, found.profile) for what, apart in parts.items()}
    for worst in (Likeness.DIFFERENT, Likeness.UNCLEAR):
        for what, likeness in judged.items():
            if likeness is worst:
                return worst, f"{what} (mean difference {parts[what].mean:.3f} of 255)"
    return Likeness.SAME, ""


def _likeness(apart: Apart, theirs: RuntimeProfile, ours: RuntimeProfile) -> Likeness:
    bounds = tolerance(theirs, ours)
    if bounds is EQUAL:
        return Likeness.SAME if apart.exact else Likeness.DIFFERENT
    return bounds.judge(apart.mean)
