"""``cuckoo miner why-idle``: what a miner answers, for people and for programs."""

import json
import threading

import msgspec
import pytest

from cuckoo.cli import idle
from cuckoo.domain.errors import FatalError
from cuckoo.domain.identifiers import NodeId, TaskId
from cuckoo.protocol.market import MissedTask, MissedView
from cuckoo.scheduler.eligibility import Exclusion
from cuckoo.services.mining.idle import ABOUT, IdleAt, IdleReport
from cuckoo.storage import questions
from cuckoo.storage.lock import DirectoryLock
from cuckoo.storage.writer import DATABASE_NAME


def task(number, reason, **more):
    return MissedTask(
        task_id=TaskId(f"{number:032x}"),
        at=1_800_000_000.0 + number,
        model="tiny\x1b[31m",
        pixels=4_096,
        steps=16,
        pictures=2,
        price_wei=10**15,
        reason=reason,
        **more,
    )


LOST = {"odds": 0.25, "winner": NodeId(5), "winner_odds": 0.5, "candidates": 3}
VIEW = MissedView(
    coordinator_node=NodeId(1),
    since=1_799_999_000.0,
    won=4,
    counts={"lost": 2, "price_too_low": 1},
    tasks=(task(3, "lost", **LOST), task(2, "price_too_low"), task(1, "lost", **LOST)),
)
REPORT = IdleReport(
    at=1_800_000_009.0,
    node=NodeId(2),
    coordinators=(
        IdleAt(coordinator=NodeId(1), origin="https://one.example", signed_in=True, chosen=True, missed=VIEW),
        IdleAt(coordinator=NodeId(6), origin="https://six.example", signed_in=True, chosen=False, problem="hu\x1bsh"),
        IdleAt(coordinator=NodeId(7), origin="https://seven.example", signed_in=True, chosen=False, stopped="used up"),
    ),
)


@pytest.fixture
def folder(devnet):
    made = devnet / "miner-2"
    made.mkdir(parents=True)
    (made / DATABASE_NAME).touch()
    return made


@pytest.fixture
def miner(folder):
    """A miner that answers whatever it is asked."""
    over = threading.Event()

    def serve():
        while not over.wait(0.01):
            token = questions.asked(folder, ABOUT)
            if token is not None:
                questions.answer(folder, ABOUT, token, msgspec.json.encode(REPORT))

    thread = threading.Thread(target=serve)
    with DirectoryLock(folder):
        thread.start()
        yield folder
        over.set()
        thread.join()


def test_why_idle__for_people__groups_the_tasks_by_reason(cuckoo, miner):
    result = cuckoo("miner", "why-idle")
    assert result.exit_code == 0, result.stderr
    lines = result.stdout.splitlines()
    (lost,) = [line for line in lines if "another won" in line]
    assert lost.split()[:2] == ["2", "67%"]
    assert "odds were 25.0% on average" in lost
    (dear,) = [line for line in lines if "price" in line]
    assert dear.split()[:2] == ["1", "33%"]
    assert "lower min_price" in dear
    assert "coordinator 1 (https://one.example): signed in, slots are offered to it" in result.stderr
    assert "no work is taken from it: used up" in result.stderr
    assert "3 tasks did not come to this miner; it got 4" in result.stderr


def test_why_idle__tasks__one_by_one_without_control_characters(cuckoo, miner):
    result = cuckoo("miner", "why-idle", "--tasks")
    assert f"{3:032x}" in result.stdout
    assert "5 of 3" in result.stdout
    assert "4,096 px x 16 x 2" in result.stdout
    assert "\x1b" not in result.stdout + result.stderr


def test_why_idle__json__has_every_task_with_its_reason(cuckoo, miner):
    found = json.loads(cuckoo("miner", "why-idle", "--json").stdout)
    one, six, _ = found["coordinators"]
    assert (one["won"], one["counts"], len(one["tasks"])) == (4, {"lost": 2, "price_too_low": 1}, 3)
    assert one["tasks"][1]["price"] == "0.001"
    assert one["tasks"][1]["why"] == Exclusion.PRICE_TOO_LOW.sentence
    assert "tasks" not in six


def test_why_idle__miner_that_does_not_run__says_so_at_once(cuckoo, folder):
    result = cuckoo("miner", "why-idle")
    assert result.exit_code == 2
    assert "does not run" in result.stderr


def test_ask__nobody_answers__fails_after_its_patience(folder):
    with pytest.raises(FatalError, match="no answer"):
        idle.ask(folder, patience_s=0.0)


@pytest.mark.parametrize("reason", list(Exclusion))
def test_reason__of_every_exclusion__is_said_in_words(reason):
    assert idle.said(reason.name.lower()) == reason.sentence
