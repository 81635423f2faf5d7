"""A miner's look at its own luck: an honest coordinator passes, one that steers its draws is named."""

import structlog

from cuckoo.domain.errors import CoordinatorUnreachable, NotFound
from cuckoo.protocol.views import DrawsView
from cuckoo.scheduler.fairness import Share
from cuckoo.services.verifying import share
from cuckoo.services.verifying.checks import Check, State
from cuckoo.services.verifying.share import CLOSED_AFTER_PERIODS, ShareWatch
from tests.support.mining import Clock

PERIOD_S = 10
HERE = {1: "http://127.0.0.1:8081"}


class Coordinator:
    """Shows closed periods; the log of each is the share that a replay finds in it."""

    def __init__(self):
        self.periods = {}
        self.asked = []
        self.error = None

    async def read(self, origin, period):
        assert origin == HERE[1]
        self.asked.append(period)
        if self.error:
            raise self.error
        if period not in self.periods:
            raise NotFound(f"no draws in {period}")
        return DrawsView(period=period, logs=(self.periods[period],))


class Log:
    """What a coordinator shows for a period."""

    def __init__(self, won, expected, right=True):
        self.rows = self
        self.won, self.expected, self.right = won, expected, right


async def watch(monkeypatch, *logs):
    """Let a miner see one log a period; returns what it said and asked."""

    async def check_log(view, _):
        return [Check(name="draws", state=State.RIGHT if view.right else State.WRONG, detail="as it is")]

    monkeypatch.setattr(share, "check_log", check_log)
    monkeypatch.setattr(share, "check_draws", lambda view, assignments: [])
    monkeypatch.setattr(share, "draw_count", lambda view: 0)
    monkeypatch.setattr(
        share, "share_of", lambda log, node, got=None: Share(node, log.won, log.expected, log.expected / 2)
    )
    clock, coordinator = Clock(), Coordinator()
    begins = int(clock.now()) // PERIOD_S + 1
    coordinator.periods = {begins + number: log for number, log in enumerate(logs) if log}
    watching = ShareWatch(9, lambda: HERE, coordinator.read, None, period_s=PERIOD_S, clock=clock)
    await clock.pass_((CLOSED_AFTER_PERIODS + 1) * PERIOD_S)
    with structlog.testing.capture_logs() as said:
        for number in range(len(logs)):
            coordinator.error = CoordinatorUnreachable("away") if number == 1 else None
            await watching.look()
            await clock.pass_(PERIOD_S)
    return watching, [entry["event"] for entry in said if entry["log_level"] in ("warning", "error")], coordinator


async def test_share__as_chance_allows__nothing_is_said_and_no_period_is_read_twice(monkeypatch):
    watching, said, coordinator = await watch(monkeypatch, Log(3, 4.0), Log(5, 4.0), None, Log(4, 4.0))
    assert said == []
    assert (watching.shares[1].won, watching.shares[1].expected) == (12, 12.0)
    assert len(coordinator.asked) == len(set(coordinator.asked)) + 1, "only the one that failed is asked for again"


async def test_share__drawn_far_less_than_its_stake__said_once(monkeypatch):
    _, said, _ = await watch(monkeypatch, Log(0, 40.0), Log(0, 40.0), Log(0, 40.0))
    assert len(said) == 1
    assert "less or more often than chance explains" in said[0]


async def test_log__that_does_not_replay__named_and_not_counted(monkeypatch):
    watching, said, _ = await watch(monkeypatch, Log(4, 4.0), Log(9, 4.0, right=False), Log(4, 4.0))
    assert len(said) == 1
    assert "not what its seed decides" in said[0]
    assert watching.shares[1].won == 8
