"""What happens to tasks and miners, one case at a time."""

import pytest

from cuckoo.domain.identifiers import NodeId
from cuckoo.scheduler.decisions import (
    AppendLog,
    AssignTask,
    CancelAttempt,
    CancelTask,
    CompleteTask,
    EndSession,
    FailTask,
    FenceAttempt,
    LeaveOutMiner,
    RecordFailure,
    RefuseResult,
    TakeMinerBack,
)
from cuckoo.scheduler.drawlog import UnparkRow, decode_row
from cuckoo.scheduler.eligibility import Exclusion
from cuckoo.scheduler.events import AttemptRestored, EscrowChanged, FailureKind, TaskRestored
from tests.support.scheduling import OTHER_MODEL, World, capability, demand, of, only, task_id


@pytest.fixture
def world():
    return World()


def test_attempt__lost__goes_to_another_and_the_late_result_of_the_first_is_refused(world):
    world.join(1)
    first = world.assigned(world.accept(1))
    lost = world.tick(21.0)
    assert only(lost, RecordFailure).kind is FailureKind.LOST
    assert only(lost, EndSession).node == 1
    world.join(2)
    decisions = world.decisions
    assert (of(decisions, FenceAttempt)[-1].attempt, of(decisions, AssignTask)[-1].node) == (1, 2)
    refused = only(world.result(first), RefuseResult)
    assert "attempt 1 is fenced: attempt 2 was assigned after it" in refused.reason


def test_attempt__lost_and_back_before_the_next__its_late_result_is_taken(world):
    world.join(1)
    first = world.assigned(world.accept(1))
    world.tick(21.0)
    assert only(world.result(first), CompleteTask).attempt == 1


def test_attempts__three_failed__the_task_fails_with_every_reason(world):
    for node in (1, 2, 3):
        world.join(node)
    attempt = world.assigned(world.accept(1))
    for _ in range(2):
        attempt = world.assigned(world.failure(attempt))
    failed = only(world.failure(attempt), FailTask)
    assert [one.attempt for one in failed.failures] == [1, 2, 3]
    assert world.state.open_tasks() == 0


def test_attempt__past_its_deadline__is_tried_elsewhere(world):
    world.join(1)
    world.join(2)
    attempt = world.assigned(world.accept(1))
    while world.now <= attempt.deadline:
        world.progress(attempt)
        again = of(world.tick(5.0), AssignTask)
    assert [one.node for one in again] == [3 - attempt.node]
    assert of(world.decisions, RecordFailure)[0].kind is FailureKind.TIMED_OUT


def test_retry__one_that_has_not_tried_waits__is_preferred(world):
    world.join(1, 1_000_000)
    attempt = world.assigned(world.accept(1))
    world.join(2)
    world.park(1)
    assert world.assigned(world.failure(attempt)).node == 2


def test_retry__nobody_else_is_there__the_same_again(world):
    world.join(1)
    attempt = world.assigned(world.accept(1))
    world.park(1)
    assert world.assigned(world.failure(attempt)).node == 1


def test_cancel__running__its_miner_is_told(world):
    world.join(1)
    attempt = world.assigned(world.accept(1))
    world.progress(attempt, 2, 4)
    decisions = world.cancel(1)
    cancelled = only(decisions, CancelAttempt)
    assert (cancelled.node, only(decisions, CancelTask).task_id) == (1, attempt.task_id)
    assert (cancelled.step, cancelled.steps) == (2, 4), "what was done is paid"
    assert only(world.result(attempt), RefuseResult).reason == "the task is closed"


def test_health__four_time_outs__left_out_until_time_has_passed(world):
    world.join(1)
    for number in range(1, 5):
        attempt = world.assigned(world.accept(number))
        world.failure(attempt, FailureKind.TIMED_OUT)
        world.cancel(number)
        world.park(1)
    assert of(world.decisions, LeaveOutMiner)
    assert world.state.why_not(NodeId(1), demand()) is Exclusion.UNHEALTHY
    assert not of(world.accept(9), AssignTask)
    for _ in range(70):
        world.park(1)
        world.tick(10.0)
    assert of(world.decisions, TakeMinerBack)
    assert of(world.decisions, AssignTask)[-1].task_id == task_id(9)


@pytest.mark.parametrize(
    ("wants", "reason"),
    [
        (demand(pixels=512 * 512 + 1), Exclusion.TOO_MANY_PIXELS),
        (demand(steps=51), Exclusion.TOO_MANY_STEPS),
        (demand(OTHER_MODEL), Exclusion.MODEL_NOT_LOADED),
        (demand(price=4), Exclusion.PRICE_TOO_LOW),
        (demand(price=101), Exclusion.ESCROW_TOO_LOW),
        (demand(price=1_000), Exclusion.ESCROW_TOO_LOW),
    ],
)
def test_miner__that_can_not__is_not_drawn_and_the_reason_is_known(world, wants, reason):
    world.join(1, capabilities=(capability(rate=62),), escrow=100)
    assert not of(world.accept(1, wants), AssignTask)
    assert world.state.why_not(NodeId(1), wants) is reason


def test_miner__that_can__is_drawn(world):
    world.join(1, capabilities=(capability(rate=62),), escrow=100)
    assert world.assigned(world.accept(1, demand(price=100))).price_wei == 100


def test_escrow__taken_by_what_is_in_flight__bounds_what_more_is_assigned(world):
    world.sign_in(1, slots=1, escrow=100)
    world.park(1, 0)
    world.park(1, 1)
    first = world.assigned(world.accept(1, demand(price=60)))
    assert not of(world.accept(2, demand(price=60)), AssignTask)
    world.failure(first, FailureKind.REPORTED)
    assert len(of(world.decisions, AssignTask)) == 2


@pytest.mark.parametrize("price", [0, 60])
def test_slot__taken_by_a_task__is_the_logged_reason_for_leaving_the_draws(world, price):
    world.join(1, escrow=100)
    rows = map(decode_row, only(world.accept(1, demand(price=price)), AppendLog).rows)
    assert [row.reason for row in rows if type(row) is UnparkRow] == [Exclusion.SLOTS_TAKEN]


def test_escrow__filled_up__waiting_tasks_are_drawn(world):
    world.join(1, escrow=0)
    assert not of(world.accept(1, demand(price=60)), AssignTask)
    filled = world.feed(EscrowChanged(now=world.now, node=NodeId(1), escrow_wei=60))
    assert world.assigned(filled).price_wei == 60


@pytest.mark.parametrize(
    ("leave", "reason"),
    [
        (lambda world: world.unpark(1), Exclusion.NO_POLL),
        (lambda world: world.weigh(1, 0), Exclusion.NO_WEIGHT),
        (lambda world: world.accept(7), Exclusion.NO_POLL),
    ],
)
def test_miner__away__is_not_drawn_and_the_reason_is_known(world, leave, reason):
    world.join(1)
    leave(world)
    assert not of(world.accept(8), AssignTask)
    assert world.state.why_not(NodeId(1), demand()) in (reason, Exclusion.SLOTS_TAKEN)
    assert world.state.why_not(NodeId(2), demand()) is Exclusion.NOT_SIGNED_IN


def test_restart__open_attempt__may_still_deliver_and_numbers_go_on(world):
    world.feed(TaskRestored(now=world.now, task_id=task_id(1), demand=demand()))
    world.feed(
        AttemptRestored(
            now=world.now,
            task_id=task_id(1),
            attempt=1,
            node=NodeId(1),
            sequence=41,
            assigned_at=world.now - 5,
            deadline=int(world.now) + 30,
        )
    )
    assert world.state.is_live(task_id(1), 1, NodeId(1))
    world.join(1, last_sequence=40)
    assert world.assigned(world.accept(2)).sequence == 42


def test_event__of_no_known_kind__is_a_type_error(world):
    with pytest.raises(TypeError, match="object is no event"):
        world.feed(object())
