"""Any order of events: no task lost, none finished twice, nothing taken from a fenced attempt, every draw replays."""

from hypothesis import settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, rule

from cuckoo.scheduler.decisions import (
    AssignTask,
    CancelTask,
    CompleteTask,
    FailTask,
    FenceAttempt,
    RecordFailure,
    RefuseResult,
)
from cuckoo.scheduler.events import FailureKind
from tests.support.scheduling import World, demand, of

NODES = 4
NODE = st.integers(1, NODES)
SLOT = st.integers(0, 1)
SEED = st.integers(0, 11)


class Network(RuleBasedStateMachine):
    """A coordinator's scheduler among miners that do anything at any time."""

    def __init__(self):
        super().__init__()
        self.world = World()
        self.accepted = []
        self.closed = {}
        self.assigned = []
        self.live = {}
        self.periods = 1
        for node in range(1, NODES + 1):
            self.take(self.world.sign_in(node, 20_000 * node))

    def take(self, decisions):
        """Keep the books that the decisions imply, and check each against them."""
        for decision in decisions:
            match decision:
                case AssignTask():
                    assert decision.task_id not in self.closed
                    before = [one for one in self.assigned if one.task_id == decision.task_id]
                    assert decision.attempt == len(before) + 1 <= self.world.state.settings.max_attempts
                    sequences = [one.sequence for one in self.assigned if one.node == decision.node]
                    assert decision.sequence > max(sequences, default=0)
                    assert decision.deadline > decision.assigned_at
                    self.assigned.append(decision)
                    self.live[decision.task_id] = decision
                case CompleteTask():
                    assert self.live[decision.task_id].attempt == decision.attempt, "an attempt that is not the last"
                    self.close(decision.task_id, decision)
                case FailTask() | CancelTask():
                    self.close(decision.task_id, decision)
                case FenceAttempt():
                    if self.live.get(decision.task_id, decision).attempt == decision.attempt:
                        self.live.pop(decision.task_id, None)
                case RecordFailure() if not decision.kind.may_come_late:
                    self.live.pop(decision.task_id, None)
        return decisions

    def close(self, task_id, decision):
        assert task_id in self.accepted
        assert task_id not in self.closed, "a task ends once"
        self.closed[task_id] = decision
        self.live.pop(task_id, None)

    def some(self, seed):
        """Choose one of the latest attempts; makes one where there is none yet."""
        if not self.assigned:
            self.accept()
            self.take(self.world.weigh(1, 20_000))
            self.take(self.world.sign_in(1, 20_000))
            self.take(self.world.park(1, 0))
        return self.assigned[-1 - seed % min(4, len(self.assigned))]

    @rule(node=NODE, stake=st.integers(20_000, 90_000))
    def sign_in(self, node, stake):
        self.take(self.world.sign_in(node, stake))

    @rule(node=NODE, slot=SLOT)
    def park(self, node, slot):
        self.take(self.world.park(node, slot))

    @rule(node=NODE, slot=SLOT)
    def unpark(self, node, slot):
        self.take(self.world.unpark(node, slot))

    @rule(node=NODE, stake=st.sampled_from((0, 20_000, 50_000)))
    def weigh(self, node, stake):
        self.take(self.world.weigh(node, stake))

    @rule()
    def accept(self):
        self.accepted.append(f"{len(self.accepted):032x}")
        self.take(self.world.accept(len(self.accepted) - 1, demand()))

    @rule(seed=SEED)
    def cancel(self, seed):
        self.take(self.world.cancel(seed % (len(self.accepted) + 1)))

    @rule(seed=SEED)
    def result(self, seed):
        attempt = self.some(seed)
        expected = self.live.get(attempt.task_id) is attempt
        decisions = self.take(self.world.result(attempt))
        assert bool(of(decisions, CompleteTask)) is expected
        assert bool(of(decisions, RefuseResult)) is not expected

    @rule(seed=SEED, kind=st.sampled_from(FailureKind))
    def failure(self, seed, kind):
        attempt = self.some(seed)
        lost_before = self.live.get(attempt.task_id) is attempt and attempt.task_id in self.waiting()
        self.take(self.world.failure(attempt, kind))
        if lost_before:  # its result could still have come: not after its miner gave it up
            self.live.pop(attempt.task_id, None)

    def waiting(self):
        return {task.task_id for pool in self.world.state.pools.values() for task in pool.queue}

    @rule(seed=SEED, step=st.integers(0, 20))
    def progress(self, seed, step):
        self.take(self.world.progress(self.some(seed), step))

    @rule(seconds=st.sampled_from((0.1, 3.0, 12.0, 30.0)))
    def tick(self, seconds):
        self.take(self.world.tick(seconds))

    @rule()
    def period(self):
        self.periods += 1
        self.take(self.world.period(self.periods))

    @invariant()
    def every_open_task_waits_or_is_with_one_miner(self):
        state = self.world.state
        assert set(state.tasks) == set(self.accepted) - set(self.closed)
        holders = [attempt.task.task_id for miner in state.miners.values() for attempt in miner.attempts]
        assert len(holders) == len(set(holders))
        for task_id in state.tasks:
            assert (state.position(task_id) is not None) is not (task_id in holders), "waits, or is held"

    @invariant()
    def the_scheduler_agrees_about_which_attempts_count(self):
        for attempt in self.assigned:
            live = self.live.get(attempt.task_id) is attempt
            assert self.world.state.is_live(attempt.task_id, attempt.attempt, attempt.node) is live

    @invariant()
    def nobody_waits_for_nothing(self):
        state = self.world.state
        for miner in state.miners.values():
            for model in miner.active:
                waiting = [task for task in state.pools[model].queue if miner.node not in task.tried]
                assert not waiting, "a task waits although a miner that has not tried it does, too"

    @invariant()
    def pools_count_what_runs_and_where_it_could(self):
        state = self.world.state
        for model, pool in state.pools.items():
            attempts = [one for miner in state.miners.values() for one in miner.attempts]
            assert pool.running == sum(one.task.demand.model == model for one in attempts)
            serving = [miner for miner in state.miners.values() if model in miner.enrolled]
            assert pool.slots == sum(miner.running_slots for miner in serving)

    def teardown(self):
        drawn = self.world.replay().draws
        assert [draw.row.node for draw in drawn] == [attempt.node for attempt in self.assigned]


Network.TestCase.settings = settings(max_examples=200, stateful_step_count=50, deadline=None)
TestNetwork = Network.TestCase


def test_queue__tasks_of_one_model__are_assigned_in_the_order_they_came():
    world = World()
    for number in range(10):
        world.accept(number)
    order = []
    world.join(1)
    while len(order) < 10:
        newest = of(world.decisions, AssignTask)[-1]
        order.append(int(newest.task_id, 16))
        world.result(newest)
        world.park(1)
    assert order == sorted(order)
