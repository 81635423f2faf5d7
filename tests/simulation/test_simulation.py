"""A slice of ``make simulate``, and that it would see what it looks for."""

import subprocess
import sys

import pytest

from tests.simulation.plan import plan_of
from tests.simulation.planted import PLANTED

SEEDS = 200


def simulate(*arguments):
    command = [sys.executable, "-m", "tests.simulation", *arguments]
    return subprocess.run(command, capture_output=True, text=True, check=False, timeout=600)


def test_simulation__many_seeds__nothing_lost_nothing_twice():
    done = simulate("--seeds", str(SEEDS), "--no-plant")
    assert done.returncode == 0, done.stdout[-8_000:] + done.stderr[-2_000:]
    assert f"{SEEDS} seeds" in done.stdout


def test_simulation__same_seed_twice__same_course():
    """Traces are only worth something if they can be had again."""
    script = (
        "from tests.simulation.run import *; quiet(); "
        "print([[trace for trace in [[]] if not run(plan_of(7), trace)[0]][0] for _ in range(2)])"
    )
    command = [sys.executable, "-c", script]
    first, second = eval(subprocess.check_output(command, text=True, env={"PYTHONHASHSEED": "0", "PATH": "/usr/bin"}))
    assert [line.split("/dev")[0] for line in first] == [line.split("/dev")[0] for line in second]
    assert len(first) > 20


@pytest.mark.parametrize("what", ["a failed attempt's task is not queued again", "a completed task stays open"])
def test_simulation__planted_fault__found_with_a_short_trace(what):
    number = next(at for at, one in enumerate(PLANTED) if one.what == what)
    done = simulate("--plant", str(number))
    assert done.returncode == 1, done.stderr
    assert "again: python -m tests.simulation --seed" in done.stdout


def test_plan__smaller__keeps_the_rest():
    plan = plan_of(3)
    assert len(plan.without_fault(0).faults) == len(plan.faults) - 1
    assert sum(plan.without_task(0).tasks) == sum(plan.tasks) - 1
