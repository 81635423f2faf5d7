"""The production line: order, one call a stage, calls of their own."""

import threading
import time
from concurrent.futures import CancelledError

import pytest

from cuckoo.inference.line import Line

PATIENCE_S = 30


def wait(event: threading.Event) -> None:
    assert event.wait(PATIENCE_S)


def test_line__three_calls__stand_in_three_stages_at_once():
    line = Line(3)
    meeting = threading.Barrier(3)

    def call(stage):
        def run(advance):
            for _ in range(stage):
                advance()
            meeting.wait(PATIENCE_S)
            return stage

        return run

    futures = [line.submit(call(stage)) for stage in (2, 1, 0)]
    assert [future.result(PATIENCE_S) for future in futures] == [2, 1, 0]


def until(condition) -> None:
    end = time.monotonic() + PATIENCE_S
    while not condition():
        assert time.monotonic() < end
        time.sleep(0)


def test_line__stage_ahead_is_taken__each_keeps_its_own():
    line = Line(3)
    entered = []
    go = threading.Event()

    def call(name):
        def run(advance):
            for stage in range(3):
                if stage:
                    advance()
                entered.append(name + str(stage))
                if name == "a" and stage == 1:
                    wait(go)

        return run

    futures = [line.submit(call(name)) for name in "abc"]
    until(lambda: (len(line._moved._waiters) == 2 and len(entered) == 3) or len(entered) > 3)
    assert sorted(entered) == ["a0", "a1", "b0"]
    go.set()
    for future in futures:
        future.result(PATIENCE_S)
    assert [name for name in entered if name.endswith("2")] == ["a2", "b2", "c2"]


def test_line__call_fails_in_the_middle__those_behind_go_on():
    line = Line(2)

    def fails(advance):
        advance()
        raise ValueError("broken")

    def passes(advance):
        advance()
        return "through"

    first, second = line.submit(fails), line.submit(passes)
    with pytest.raises(ValueError, match="broken"):
        first.result(PATIENCE_S)
    assert second.result(PATIENCE_S) == "through"


def test_line__call_cancelled_before_it_began__those_behind_go_on():
    line = Line(1)
    begun, go = threading.Event(), threading.Event()

    def holds(_):
        begun.set()
        wait(go)

    first, second, third = line.submit(holds), line.submit(lambda _: None), line.submit(lambda _: "through")
    wait(begun)
    assert second.cancel()
    go.set()
    assert third.result(PATIENCE_S) == "through"
    first.result(PATIENCE_S)
    with pytest.raises(CancelledError):
        second.result(PATIENCE_S)


def test_line__call_alone__waits_for_those_before_and_keeps_off_those_behind():
    line = Line(3)
    entered = []
    gates = {name: threading.Event() for name in ("before", "alone", "behind")}

    def call(name):
        def run(advance):
            entered.append(name)
            advance()
            advance()
            wait(gates[name])

        return run

    futures = [line.submit(call(name), alone=name == "alone") for name in gates]
    for number, gate in enumerate(gates.values(), start=1):
        until(lambda number=number: len(entered) + len(line._moved._waiters) >= 3 and len(entered) >= number)
        assert entered == [*gates][:number]
        gate.set()
    for future in futures:
        future.result(PATIENCE_S)


def test_line__call_alone_is_over__others_stand_side_by_side_again():
    line = Line(2)
    line.submit(lambda _: None, alone=True).result(PATIENCE_S)
    meeting = threading.Barrier(2)

    def ahead(advance):
        advance()
        meeting.wait(PATIENCE_S)

    futures = [line.submit(ahead), line.submit(lambda _: meeting.wait(PATIENCE_S))]
    for future in futures:
        future.result(PATIENCE_S)
