"""``cuckoo calibrate`` with the bundled model: real pictures, made in every way that this machine has."""

import json

import pytest
from click.testing import CliRunner

from cuckoo.cli.main import cli
from cuckoo.demo.cheats import IN_THE_PICTURE, Cheat
from cuckoo.services.calibrating import measure
from cuckoo.services.calibrating.measure import families

PNG = b"\x89PNG"


@pytest.fixture
def fewer(monkeypatch):
    """Not all the ways: each starts a worker."""
    wanted = {"the same process again", "a new process", "in a batch of 4", "in bfloat16"}
    monkeypatch.setattr(
        measure, "families", lambda *facts: [[way for way in families(*facts)[0] if way.name in wanted]]
    )
    monkeypatch.setattr(measure, "STEPS", (4,))


def run(*arguments):
    return CliRunner().invoke(cli, ["calibrate", *arguments], standalone_mode=False)


def test_calibrate__bundled_model__honest_apart_from_dishonest_and_the_bounds_hold(tmp_path, fewer):
    outcome = run("--prompts", "1", "--device", "cpu", "--json", "--out", str(tmp_path))
    assert outcome.exception is None, outcome.exception
    shown = json.loads(outcome.stdout)
    assert shown["holds"]
    bounds = {one["kinship"]: one for one in shown["bounds"]}
    assert set(bounds) == {"equal", "alike", "far"}
    assert all(one["accused"] == 0 for one in bounds.values())
    makers = {(one["maker"], one["kinship"]): one for one in shown["makers"]}
    assert makers["a new process", "equal"]["identical"] == makers["a new process", "equal"]["pairs"] == 1
    assert makers["sends noise", "far"]["found"] == 1
    assert makers["does half the steps", "equal"]["found"] == 1
    assert makers["in a batch of 4", "alike"]["pairs"] == 4
    dishonest = {one["maker"] for one in shown["makers"] if not one["honest"]}
    assert dishonest == {cheat.sentence for cheat in IN_THE_PICTURE if cheat is not Cheat.UPSCALED}
    assert len(json.loads((tmp_path / "calibration.json").read_text())["pairs"]) == sum(
        one["pairs"] for one in shown["makers"]
    )
    assert (tmp_path / "calibration.png").read_bytes().startswith(PNG)


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (("--prompts", "0"), "--prompts"),
        (("--prompts", "1001"), "must be 1 to 1,000"),
        (("--model", "nobody"), "must be one of emoji-64"),
        (("--device", "gpu"), "gpu"),
    ],
)
def test_calibrate__bad_input__named(tmp_path, arguments, said):
    outcome = run(*arguments, "--out", str(tmp_path / "out"))
    assert said in str(outcome.exception)
