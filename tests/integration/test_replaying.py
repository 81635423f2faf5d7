"""Single steps made again by the real child: exactly where the allow-list says so, and told apart from any other."""

import struct

import pytest
import pytest_asyncio

from cuckoo.inference.pool import PoolOptions, WorkerPool
from cuckoo.inference.replaying import HISTORY
from cuckoo.protocol.messages import ChallengeAnswer
from cuckoo.protocol.openings import check_answer
from tests.bench.replays import least_history
from tests.support.replaying import again, every_scheduler, exact, make, task

ONE_CPU = PoolOptions(devices=("cpu",), threads=1)
pytestmark = pytest.mark.asyncio(loop_scope="module")  # one child serves all of them
STEPS = 9
"""As many as it takes: UniPC seems replayable from four latents where there are five steps."""


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def pool():
    async with WorkerPool([every_scheduler()], ONE_CPU) as pool:
        await pool.ready.wait()
        yield pool


async def test_allow_list__is_what_the_experiment_finds(pool, tmp_path):
    model = every_scheduler()
    found = {name: await least_history(pool, name, STEPS, tmp_path) for name in model.limits.schedulers}
    assert {name: history for name, history in found.items() if history} == HISTORY
    told = pool.loaded()[model.digest].replays
    assert {name: history for name, history in told.items() if name} == HISTORY
    assert told[""] == 1, "the bundled model's own is DDIM"


async def test_replay__every_picture_of_several__is_exact(pool, tmp_path):
    kept = await make(pool, task("EulerAncestralDiscreteScheduler", pictures=3), tmp_path)
    for picture in range(3):
        assert exact(await again(pool, kept, 3, 1, picture)) == (True, True, True)
        answer = ChallengeAnswer(latents=kept.opened(3, 1, picture))
        check_answer(answer, kept.challenge(3, 1, picture), kept.parameters, kept.done.latents_root)


@pytest.mark.parametrize(
    ("changes", "expected"),
    [
        ({"prompt": "a blue whale"}, (True, False, True)),
        ({"guidance_thousandths": 1_000}, (True, False, True)),
        ({"seed": 8}, (False, True, True)),
        ({"scheduler": "EulerDiscreteScheduler"}, (False, False, True)),
    ],
)
async def test_replay__of_another_task__shows_what_is_not_so(pool, tmp_path, changes, expected):
    kept = await make(pool, task("DDIMScheduler"), tmp_path)
    replayed = await again(pool, kept, 2, 1, parameters=task(**({"scheduler": "DDIMScheduler"} | changes)))
    assert exact(replayed) == expected


async def test_replay__one_latent_or_pixel_off__is_seen(pool, tmp_path):
    kept = await make(pool, task(), tmp_path)
    last = {one.step: one.payload for one in kept.opened(2, 1)}
    (first,) = struct.unpack_from("<f", last[3])
    off = struct.pack("<f", first + 1e-6) + last[3][4:]
    assert exact(await again(pool, kept, 2, 1, latents={3: off})) == (True, False, True)
    other = await make(pool, task(prompt="a yellow star"), tmp_path)
    assert exact(await again(pool, kept, 2, 1, png=other.done.pictures[0])) == (True, True, False)
    final = other.opened(2, 1)[-1].payload
    assert exact(await again(pool, kept, 2, 1, latents={5: final})) == (True, True, False)


async def test_replay__latents_of_another_size__lie_far_apart(pool, tmp_path):
    kept = await make(pool, task(), tmp_path)
    replayed = await again(pool, kept, 2, 1, latents={3: b"\0\0\0\0"})
    assert exact(replayed) == (False, False, False)
    assert replayed.step.mean == 255.0


async def test_replay__between_jobs__leaves_them_as_they_are(pool, tmp_path):
    first = await make(pool, task("LCMScheduler"), tmp_path)
    await again(pool, first, 1, 1)
    second = await make(pool, task("LCMScheduler"), tmp_path)
    assert second.done.picture_hashes == first.done.picture_hashes
    assert second.done.latents_root == first.done.latents_root
