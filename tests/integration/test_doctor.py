"""The doctor with real child processes: some run a script, so that faults come when they are wanted; one draws."""

import asyncio
import json
import sys

import pytest
from click.testing import CliRunner
from msgspec.structs import replace

from cuckoo.cli.main import cli
from cuckoo.domain.errors import ConfigError
from cuckoo.inference import models
from cuckoo.inference.host import describe
from cuckoo.inference.pool import PoolOptions
from cuckoo.roles.miner import what_this_machine_does
from cuckoo.services.doctor.examination import examine
from cuckoo.services.doctor.findings import Findings, read_findings, write_findings

MODEL = models.load_registry()["emoji-64"]
OTHER = replace(MODEL, name="other", digest="cd" * 32)

CHILD = """
import sys
from cuckoo.domain.task import RuntimeProfile
from cuckoo.inference.messages import *

mood, most = sys.argv[1], int(sys.argv[2])
if sys.argv[3:4] == ["--describe"]:
    if sys.argv[4] == "cuda:9":
        sys.exit("RuntimeError: invalid device ordinal")
    print('{"device": "%s", "name": "a device", "memory_bytes": 7}' % sys.argv[4])
    sys.exit()
profile = RuntimeProfile(device="cpu", dtype="float32", torch="0", attention="sdpa", threads=1, isa="", batch_bucket=1)

def say(message):
    sys.stdout.buffer.write(frame(message))
    sys.stdout.buffer.flush()

loaded = 0
while (message := read_for_child(sys.stdin.buffer)) is not None:
    if isinstance(message, Load):
        loaded += 1
        if mood == "can not load":
            say(LoadFailed(digest=message.model.digest, message="broken weights"))
        elif mood == "crowded" and loaded > 1:
            sys.exit("killed")
        else:
            say(Loaded(digest=message.model.digest, profile=profile, pixel_step_s=1e-6))
    elif isinstance(message, Batch):
        (run,) = message.runs
        pixels = run.parameters.width_px * run.parameters.height_px
        if pixels <= most:
            say(Finished(job_id=run.job_id, pictures=[], picture_hashes=[], latents_root=bytes(32), profile=profile,
                         step_s=[9.0, 0.5, 0.5, 0.5], seconds=11.5, peak_bytes=pixels))
        elif mood == "dies":
            sys.exit("Killed")
        elif mood == "internal":
            say(Failed(job_id=run.job_id, kind="internal", message="a kernel is missing"))
        else:
            say(Failed(job_id=run.job_id, kind="out_of_memory", message="too large", limit_pixels=12_345))
    elif isinstance(message, Shutdown):
        sys.exit()
"""


@pytest.fixture
def options(tmp_path):
    script = tmp_path / "child.py"
    script.write_text(CHILD)
    return lambda mood, most=10**9: PoolOptions(command=(sys.executable, str(script), mood, str(most)), grace_s=2.0)


async def examined(options, *wanted, devices=("cpu",)):
    told = []
    _, found = await examine(wanted or (MODEL,), devices, options, told.append)
    return found, told


async def test_examine__all_fits__every_size_has_memory_and_time(options):
    (one,), told = await examined(options("well"))
    assert [(size.width_px, size.peak_bytes, size.step_s) for size in one.sizes] == [
        (64, 64**2, 0.5),
        (128, 128**2, 0.5),
        (256, 256**2, 0.5),
    ]
    assert one.sizes[0].picture_s == 11.5 - 10.5 + MODEL.defaults.steps * 0.5
    assert (one.max_pixels, one.problem) == (MODEL.limits.max_pixels, "")
    assert told == [
        "loading emoji-64 on cpu",
        *(f"emoji-64 on cpu, {side} x {side} px" for side in (64, 128, 256)),
    ]


@pytest.mark.parametrize(
    ("mood", "most", "max_pixels", "problem"),
    [
        ("out of memory", 128**2, 128**2, "memory does not suffice"),
        ("out of memory", 64**2, 12_345, "memory does not suffice"),
        ("dies", 128**2, 128**2, "worker died"),
        ("dies", 0, 0, "worker died"),
        ("internal", 128**2, 128**2, "a kernel is missing"),
    ],
)
async def test_examine__a_size_fails__the_model_is_offered_up_to_what_was_drawn(
    options, mood, most, max_pixels, problem
):
    (one,), _ = await examined(options(mood, most))
    assert (one.max_pixels, problem in one.problem) == (max_pixels, True), one.problem
    assert [bool(size.problem) for size in one.sizes][-1] is True
    assert not any(size.problem for size in one.sizes[:-1])


async def test_examine__model_that_can_not_be_loaded__is_not_offered_and_says_why(options):
    (one,), _ = await examined(options("can not load"))
    assert (one.max_pixels, one.sizes) == (0, ())
    assert "broken weights" in one.problem


async def test_examine__models_that_do_not_fit_together__the_last_is_not_offered(options):
    found, _ = await examined(options("crowded"), MODEL, OTHER)
    assert [one.max_pixels for one in found] == [MODEL.limits.max_pixels, 0]
    assert "does not fit beside emoji-64" in found[1].problem


async def test_examine__two_devices__each_is_asked_and_measured(options):
    hosts, found = await examine([MODEL], ("cuda:0", "cuda:1", "cuda:0"), options("well"), lambda _: None)
    assert [host.device for host in hosts] == [one.device for one in found] == ["cuda:0", "cuda:1"]


async def test_describe__device_that_is_not_there__says_what_torch_says(options):
    with pytest.raises(ConfigError, match="invalid device ordinal"):
        await describe("cuda:9", options("well").command)


async def test_miner__after_the_doctor__offers_what_passed_and_refuses_to_start_with_nothing(options, tmp_path):
    async def kept(mood, most):
        found, _ = await examined(options(mood, most))
        write_findings(tmp_path, Findings(at=1.0, torch=read_torch(), hosts=(), models=tuple(found)))
        return await what_this_machine_does([MODEL], ("cpu",), tmp_path)

    assert await what_this_machine_does([MODEL], ("cpu",), tmp_path) == ([MODEL], ("cpu",))
    ((limited,), _) = await kept("dies", 128**2)
    assert limited.limits.max_pixels == 128**2
    with pytest.raises(ConfigError, match="nothing of it works here"):
        await kept("dies", 0)


def read_torch():
    from cuckoo.inference.host import version_of

    return version_of("torch")


async def test_doctor__real_model_on_the_cpu__is_measured_and_kept(tmp_path, monkeypatch):
    monkeypatch.setenv("CUCKOO_DATA_DIR", str(tmp_path))
    result = await asyncio.to_thread(CliRunner().invoke, cli, ["miner", "doctor", "--device", "cpu", "--json"])
    assert result.exit_code == 0, result.output
    found = json.loads(result.stdout)
    (host,), (one,) = found["hosts"], found["models"]
    assert found["healthy"] is True
    assert host["torch"].startswith(read_torch().split("+")[0])
    assert host["memory_bytes"] > host["free_bytes"] > 0
    peaks = [size["peak_bytes"] for size in one["sizes"]]
    assert peaks == sorted(peaks)
    assert 50 * 2**20 < peaks[0] < host["memory_bytes"]
    assert all(0 < size["step_s"] < size["picture_s"] for size in one["sizes"])
    assert read_findings(tmp_path).models[0].max_pixels == MODEL.limits.max_pixels
