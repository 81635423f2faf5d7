"""Which sizes the doctor tries, and what a miner offers because of what it found."""

import pytest
from msgspec.structs import replace

from cuckoo.cli.doctor import advice
from cuckoo.inference.host import Host, version_of
from cuckoo.inference.models import Defaults, Limits
from cuckoo.services.doctor.examination import pieces, sizes_of
from cuckoo.services.doctor.findings import (
    FILE,
    Findings,
    ModelFinding,
    SizeFinding,
    read_findings,
    what_passed,
    write_findings,
)
from tests.support.mining import MODEL


def model(name="tiny", default=64, most=256 * 256):
    return replace(
        MODEL,
        name=name,
        digest=name.encode().hex().ljust(64, "0"),
        defaults=Defaults(width_px=default, height_px=default, steps=4, guidance=5.0),
        limits=Limits(max_pixels=most, max_steps=50),
    )


def found(one, device="cpu", *, most=None, problem=""):
    return ModelFinding(
        model=one.name,
        digest=one.digest,
        device=device,
        load_s=1.0,
        max_pixels=one.limits.max_pixels if most is None else most,
        sizes=(SizeFinding(width_px=64, height_px=64, peak_bytes=1, step_s=1.0, picture_s=4.0),),
        problem=problem,
    )


def findings(*models, devices=("cpu",), torch=None):
    hosts = tuple(Host(device=device, name=device) for device in devices)
    return Findings(at=1.0, torch=version_of("torch") if torch is None else torch, hosts=hosts, models=models)


@pytest.mark.parametrize(
    ("default", "most", "sides"),
    [
        (64, 256 * 256, [64, 128, 256]),
        (1_024, 2_048 * 2_048, [1_024, 1_448, 2_048]),
        (64, 64 * 64, [64]),
        (512, 300_000, [512, 528, 544]),
        (512, 100_000, [312]),
    ],
)
def test_sizes__of_a_model__rise_from_its_default_to_its_largest(default, most, sides):
    assert sizes_of(model(default=default, most=most)) == [(side, side) for side in sides]


def test_pieces__of_two_models_on_two_devices__count_loads_pictures_and_both_together():
    assert pieces([model(), model("two", most=64 * 64)], ["cpu", "cuda:0"]) == 2 * ((1 + 3) + (1 + 1) + (1 + 2))
    assert pieces([model()], ["cpu", "cpu"]) == 4


def test_passed__all_well__models_stay_as_they_are():
    one = model()
    assert what_passed([one], ["cpu"], findings(found(one))) == ([one], {})


def test_passed__largest_size_failed__the_model_is_limited_everywhere_to_the_least():
    one = model()
    both = findings(found(one, "cuda:0"), found(one, "cuda:1", most=9_000, problem="the memory does not suffice"))
    ((limited,), reasons) = what_passed([one], ["cuda:0", "cuda:1"], both)
    assert limited.limits == replace(one.limits, max_pixels=9_000)
    assert reasons == {"tiny": "offered up to 9,000 pixels: the memory does not suffice"}
    assert what_passed([one], ["cuda:0"], both) == ([one], {})


def test_passed__model_failed__is_left_out_and_others_stay():
    one, two = model(), model("two")
    kept, reasons = what_passed([one, two], ["cpu"], findings(found(one, most=0, problem="no weights"), found(two)))
    assert kept == [two]
    assert reasons == {"tiny": "left out: on cpu it failed: no weights"}


def test_passed__device_or_digest_not_examined__stays_as_without_a_doctor():
    one = model()
    failed = findings(found(one, "cuda:0", most=0, problem="no weights"))
    assert what_passed([one], ["cuda:0", "cuda:1"], failed) == ([one], {})
    changed = replace(one, digest="ff" * 32)
    assert what_passed([changed], ["cuda:0"], failed) == ([changed], {})


def test_findings__written_and_read__are_the_same_and_keep_those_of_other_devices(tmp_path):
    one, two = model(), model("two")
    write_findings(tmp_path, findings(found(one), found(two)))
    write_findings(tmp_path, findings(found(one, most=5, problem="less"), devices=("cuda:0",)))
    kept = read_findings(tmp_path)
    assert [(row.model, row.max_pixels) for row in kept.models] == [("tiny", 5), ("two", 65_536)]
    assert [host.device for host in kept.hosts] == ["cuda:0", "cpu"]
    assert not kept.healthy


@pytest.mark.parametrize("content", [None, b"", b"{}", b"not json"])
def test_findings__not_there_or_broken__count_as_none(tmp_path, content):
    if content is not None:
        (tmp_path / FILE).write_bytes(content)
    assert read_findings(tmp_path) is None


def test_findings__of_another_torch__count_as_none(tmp_path):
    write_findings(tmp_path, findings(found(model()), torch="1.0"))
    assert read_findings(tmp_path) is None


def test_advice__says_what_fails_and_what_to_do():
    one = model()
    assert advice(findings(found(one))) == ["all passed"]
    limited = advice(findings(found(one, most=9_000, problem="the memory does not suffice")))
    assert limited[0] == "tiny on cpu: the memory does not suffice"
    assert "up to 9,000 pixels" in limited[1]
    failed = advice(findings(replace(found(one, most=0, problem="no weights"), sizes=())))
    assert "is not offered" in failed[1]
    hint = Findings(at=1.0, torch="", hosts=(Host(device="cpu", name="x", hint="use the GPU"),), models=())
    assert advice(hint) == ["cpu: use the GPU"]
