"""Which latents a challenge asks for, and what shows them."""

import pytest
from msgspec.structs import replace

from cuckoo.domain.errors import InvalidField
from cuckoo.domain.keccak import latent_leaf, merkle_proof, merkle_root
from cuckoo.domain.task import TaskParameters
from cuckoo.protocol.messages import Challenge, ChallengeAnswer, OpenedLatents
from cuckoo.protocol.openings import check_answer, wanted

STEPS, PICTURES = 6, 3
EACH = STEPS + 1
PARAMETERS = TaskParameters(
    salt=bytes(32),
    model_digest="ab" * 32,
    prompt="a red apple",
    width_px=64,
    height_px=64,
    steps=STEPS,
    pictures=PICTURES,
    guidance_thousandths=4_000,
    seed=7,
)


def payload(picture, number):
    return bytes([picture, number]) * 8


LEAVES = [
    latent_leaf(picture, number, payload(picture, number)) for picture in range(PICTURES) for number in range(EACH)
]
ROOT = merkle_root(LEAVES)


def challenge(step, history=1, picture=1):
    return Challenge(id=9, picture=picture, step=step, history=history, deadline=0)


def opened(number, picture=1):
    proof = tuple(merkle_proof(LEAVES, picture * EACH + number))
    return OpenedLatents(step=number, payload=payload(picture, number), proof=proof)


def answer(asked):
    return ChallengeAnswer(latents=tuple(opened(number, asked.picture) for number in wanted(asked, STEPS)))


@pytest.mark.parametrize(
    ("step", "history", "expected"),
    [
        (0, 1, (0, 1, 6)),
        (0, 3, (0, 1, 6)),
        (1, 2, (0, 1, 2, 6)),
        (3, 1, (0, 3, 4, 6)),
        (3, 2, (0, 2, 3, 4, 6)),
        (4, 3, (0, 2, 3, 4, 5, 6)),
        (5, 1, (0, 5, 6)),
    ],
)
def test_wanted__step_and_history__noise_inputs_output_and_last(step, history, expected):
    assert wanted(challenge(step, history), STEPS) == expected


@pytest.mark.parametrize("picture", range(PICTURES))
@pytest.mark.parametrize("step", range(STEPS))
def test_check_answer__right__gives_the_latents(step, picture):
    asked = challenge(step, 2, picture)
    found = check_answer(answer(asked), asked, PARAMETERS, ROOT)
    assert found == {number: payload(picture, number) for number in wanted(asked, STEPS)}


@pytest.mark.parametrize(
    "change",
    [
        lambda latents: (),
        lambda latents: latents[1:],
        lambda latents: latents[::-1],
        lambda latents: (*latents, latents[-1]),
        lambda latents: (*latents[:-1], replace(latents[-1], step=5)),
        lambda latents: (*latents[:-1], replace(opened(5), step=6)),
        lambda latents: (*latents[:-1], opened(6, picture=2)),
        lambda latents: (*latents[:-1], replace(latents[-1], payload=bytes(16))),
        lambda latents: (*latents[:-1], replace(latents[-1], payload=latents[-1].payload[:-1])),
        lambda latents: (*latents[:-1], replace(latents[-1], proof=())),
        lambda latents: (*latents[:-1], replace(latents[-1], proof=(*latents[-1].proof, bytes(32)))),
        lambda latents: (*latents[:-1], replace(latents[-1], proof=latents[-1].proof[::-1])),
    ],
    ids=[
        "nothing",
        "one missing",
        "other order",
        "one twice",
        "other number",
        "other step's",
        "other picture's",
        "other values",
        "cut off",
        "no proof",
        "longer proof",
        "proof upside down",
    ],
)
def test_check_answer__wrong__is_refused(change):
    asked = challenge(2)
    wrong = ChallengeAnswer(latents=tuple(change(answer(asked).latents)))
    with pytest.raises(InvalidField, match="latents"):
        check_answer(wrong, asked, PARAMETERS, ROOT)


@pytest.mark.parametrize("changes", [{"steps": 7}, {"steps": 5}, {"pictures": 2}])
def test_check_answer__of_another_number_of_latents__is_refused(changes):
    """Who did half the steps has half the leaves: its proofs lead elsewhere."""
    asked = challenge(2)
    with pytest.raises(InvalidField, match="latents"):
        check_answer(answer(asked), asked, replace(PARAMETERS, **changes), ROOT)


def test_check_answer__another_root__is_refused():
    with pytest.raises(InvalidField, match="latents"):
        check_answer(answer(challenge(2)), challenge(2), PARAMETERS, bytes(32))
