"""What is asked of a miner about one step, and how its answer is judged; the device is the test's."""

from collections import Counter

import pytest
from msgspec.structs import replace

from cuckoo.domain.keccak import latent_leaf, merkle_proof, merkle_root
from cuckoo.domain.task import RuntimeProfile, TaskParameters
from cuckoo.domain.tolerance import ALIKE, Likeness
from cuckoo.inference.messages import Apart, Replayed
from cuckoo.protocol.messages import ChallengeAnswer, OpenedLatents, encode_binary
from cuckoo.protocol.openings import wanted
from cuckoo.protocol.receipts import Receipt
from cuckoo.services.auditing import steps
from cuckoo.services.auditing.judging import Work

PROFILE = RuntimeProfile(
    device="cpu", dtype="float32", torch="2.13.0", attention="sdpa", threads=1, isa="AVX2", batch_bucket=1
)
OTHER_THREADS = replace(PROFILE, threads=4)
PARAMETERS = TaskParameters(
    salt=bytes(32),
    model_digest="ab" * 32,
    prompt="a red apple",
    width_px=64,
    height_px=64,
    steps=5,
    pictures=2,
    guidance_thousandths=4_000,
    seed=7,
)
EXACT = Apart(exact=True, mean=0.0)
LATENTS = [[bytes([picture, number]) * 8 for number in range(6)] for picture in range(2)]
LEAVES = [latent_leaf(p, n, payload) for p, row in enumerate(LATENTS) for n, payload in enumerate(row)]


class Device:
    """Finds what the test says."""

    def __init__(self, history=1, **parts):
        self.known = history
        self.parts = {"noise": EXACT, "step": EXACT, "decoded": EXACT} | parts
        self.asked = []

    def history(self, parameters, profile):
        return self.known

    async def replay(self, parameters, challenge, latents, png):
        self.asked.append((challenge.step, sorted(latents), png))
        return Replayed(job_id="", profile=PROFILE, seconds=0.0, **self.parts)


def receipt(number):
    return encode_binary(
        Receipt(
            assignment_hash=number.to_bytes(32, "big"),
            picture_hashes=(bytes(32), bytes(32)),
            latents_root=merkle_root(LEAVES),
            profile=PROFILE,
            finished_at=1,
        )
    )


def question(number=0, device=None, secret=b"secret"):
    return steps.question(PARAMETERS, receipt(number), device or Device(), secret, 1_700_000_060)


def the_question():
    return next(asked for number in range(100) if (asked := question(number)) is not None)


def answer(challenge):
    latents = []
    for number in wanted(challenge, PARAMETERS.steps):
        proof = tuple(merkle_proof(LEAVES, challenge.picture * 6 + number))
        payload = LATENTS[challenge.picture][number]
        latents.append(OpenedLatents(step=number, payload=payload, proof=proof))
    return ChallengeAnswer(latents=tuple(latents))


def work(profile=PROFILE):
    return Work(
        by=2,
        profile=profile,
        picture_hashes=(bytes(32), bytes(32)),
        latents_root=merkle_root(LEAVES),
        pictures=(b"first", b"second"),
    )


def test_question__over_many_receipts__every_step_of_every_picture_alike():
    asked = [question(number) for number in range(8_000)]
    whole = sum(one is None for one in asked) / len(asked)
    assert whole == pytest.approx(steps.WHOLE, abs=0.03)
    found = Counter((one.picture, one.step) for one in asked if one is not None)
    assert len(found) == 10
    assert max(found.values()) < 1.25 * min(found.values())
    assert {(one.history, one.deadline) for one in asked if one} == {(1, 1_700_000_060)}


def test_question__same_receipt__is_the_same_under_one_secret_only():
    assert [question(number) for number in range(50)] == [question(number) for number in range(50)]
    assert [question(number) for number in range(50)] != [question(number, secret=b"x") for number in range(50)]


def test_question__what_the_device_can_not_make_again__is_none():
    assert [question(number, Device(history=0)) for number in range(50)] == [None] * 50


async def judged(device, profile=PROFILE, challenge=None, given=None):
    challenge = challenge or the_question()
    given = encode_binary(answer(challenge)) if given is None else given
    return await steps.judge(challenge, given, PARAMETERS, work(profile), device)


async def test_judge__all_exact__is_the_same():
    device, challenge = Device(), the_question()
    assert await judged(device, challenge=challenge) == (Likeness.SAME, "")
    picture = (b"first", b"second")[challenge.picture]
    assert device.asked == [(challenge.step, list(wanted(challenge, 5)), picture)]


@pytest.mark.parametrize("part", ["noise", "step", "decoded"])
@pytest.mark.parametrize(
    ("profile", "mean", "expected"),
    [
        (PROFILE, 0.0, Likeness.DIFFERENT),  # one bit of the latents, seen by no eye
        (OTHER_THREADS, ALIKE.same, Likeness.SAME),
        (OTHER_THREADS, (ALIKE.same + ALIKE.different) / 2, Likeness.UNCLEAR),
        (OTHER_THREADS, ALIKE.different, Likeness.DIFFERENT),
    ],
)
async def test_judge__one_part_off__by_the_tolerance_of_the_profiles(part, profile, mean, expected):
    likeness, detail = await judged(Device(**{part: Apart(exact=False, mean=mean)}), profile)
    assert likeness is expected
    assert bool(detail) is (expected is not Likeness.SAME)


async def test_judge__different_and_unclear__is_different():
    device = Device(noise=Apart(exact=False, mean=0.1), decoded=Apart(exact=False, mean=99.0))
    likeness, detail = await judged(device, OTHER_THREADS)
    assert (likeness, "become the picture" in detail) == (Likeness.DIFFERENT, True)


@pytest.mark.parametrize("given", [b"", b"\xc1", encode_binary(ChallengeAnswer(latents=()))])
async def test_judge__no_answer_to_the_question__is_different_without_a_run(given):
    device = Device()
    likeness, detail = await judged(device, given=given)
    assert (likeness, "asked for step" in detail) == (Likeness.DIFFERENT, True)
    assert device.asked == []
