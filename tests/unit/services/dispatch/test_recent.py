"""The draws of the last hour are kept as they were decided, in bounded memory."""

import pytest

from cuckoo.domain.amounts import CAI, Wei
from cuckoo.domain.identifiers import ModelDigest, NodeId, TaskId
from cuckoo.scheduler.drawlog import DrawRow, PeriodRow, decode_row
from cuckoo.scheduler.events import (
    AttemptFailed,
    Capability,
    Demand,
    FailureKind,
    MinerParked,
    MinerSignedIn,
    PeriodStarted,
    TaskAccepted,
    TaskCancelled,
)
from cuckoo.scheduler.state import State
from cuckoo.scheduler.transition import transition
from cuckoo.services.dispatch.recent import BYTES_MAX, HOUR_S, Recent

MODEL = ModelDigest("ab" * 32)
DEMAND = Demand(model=MODEL, pixels=4_096, steps=4)
MINER = NodeId(2)
PERIOD_S = 600


class Live:
    """An open task as far as it matters."""

    demand = DEMAND

    def __init__(self, attempts=()):
        self.attempts = attempts


class Town:
    """A scheduler with one miner that takes a task at a time and gives it back."""

    def __init__(self, bytes_max=BYTES_MAX):
        self.state, self.recent, self.open = State(), Recent(bytes_max), {}
        self.now, self.count = 0.0, 0
        capability = Capability(model=MODEL, max_pixels=4_096, max_steps=10)
        self.apply(
            MinerSignedIn(
                now=0.0, node=MINER, weight_wei=Wei(CAI), capabilities=(capability,), running_slots=1, last_sequence=0
            )
        )

    def apply(self, event):
        decisions = transition(self.state, event)
        if decisions:
            self.recent.note(event.now, decisions, self.state, self.open)

    def period(self):
        number = int(self.now) // PERIOD_S
        self.apply(PeriodStarted(now=self.now, period=number, block=number, seed=b"s" * 32, tip=b"t" * 32))

    def draw(self):
        self.count += 1
        task = TaskId(f"{self.count:032x}")
        self.apply(TaskAccepted(now=self.now, task_id=task, demand=DEMAND))
        self.apply(MinerParked(now=self.now, node=MINER, slot=0, models=(MODEL,)))
        self.apply(
            AttemptFailed(
                now=self.now, task_id=task, attempt=1, node=MINER, kind=FailureKind.HANDED_BACK, reason="leaving"
            )
        )
        self.apply(TaskCancelled(now=self.now, task_id=task))

    def drawn(self):
        return [draw.task_id for chunk in self.recent.chunks() for draw, _ in chunk.drawn]


def rows_of(recent):
    return [decode_row(row) for chunk in recent.chunks() for row in chunk.rows]


def test_draws__of_some_periods__are_kept_beside_their_rows():
    town = Town()
    for _ in range(3):
        town.period()
        town.draw()
        town.now += PERIOD_S
    assert town.drawn() == [row.task_id for row in rows_of(town.recent) if type(row) is DrawRow]
    assert len(town.drawn()) == 3
    assert town.recent.since == 0.0


def test_hours__pass__whole_old_periods_are_forgotten():
    town = Town()
    for _ in range(100):
        town.period()
        town.draw()
        town.now += PERIOD_S
    rows = rows_of(town.recent)
    assert type(rows[0]) is PeriodRow
    assert HOUR_S <= town.now - town.recent.since <= HOUR_S + 2 * PERIOD_S
    assert len(town.drawn()) == (town.now - town.recent.since) / PERIOD_S


@pytest.mark.parametrize("periods", [1, 50])
def test_memory__filled__the_oldest_draws_go_first(periods):
    town = Town(bytes_max=20_000)
    for number in range(300):
        if number % (300 // periods) == 0:
            town.now += 1.0
            town.apply(PeriodStarted(now=town.now, period=number, block=number, seed=b"s" * 32, tip=b"t" * 32))
        town.draw()
    kept = town.drawn()
    assert 5 < len(kept) < 30
    assert kept == [f"{number:032x}" for number in range(301 - len(kept), 301)]
    assert town.recent._bytes <= 20_000
    assert sum(len(chunk.drawn) for chunk in town.recent.chunks()) == len(kept)


def test_tasks__taken_back_before_a_draw__are_remembered_and_others_are_not():
    town = Town()
    for task, live in ((TaskId("a" * 32), Live()), (TaskId("b" * 32), Live(attempts=(1,)))):
        town.open[task] = live
        town.apply(TaskAccepted(now=1.0, task_id=task, demand=DEMAND))
        town.apply(TaskCancelled(now=2.0, task_id=task))
    assert [(one.at, one.task_id) for one in town.recent.taken_back] == [(2.0, "a" * 32)]
