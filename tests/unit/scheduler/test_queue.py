"""Who waits before whom: fair between owners by work, first come first served within one."""

from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cuckoo.domain.identifiers import NodeId
from cuckoo.scheduler.decisions import AssignTask
from cuckoo.scheduler.events import AttemptRestored, FailureKind, TaskRestored
from cuckoo.scheduler.pool import Queue
from cuckoo.scheduler.records import Task
from tests.support.scheduling import MODEL, OTHER_MODEL, World, capability, demand, of, task_id

OWNERS = st.integers(1, 4)
WORK = st.integers(1, 50)
ACCEPT = st.tuples(st.just("accept"), OWNERS, WORK)
MOVES = st.lists(
    st.one_of(
        ACCEPT,
        ACCEPT,
        st.tuples(st.just("give")),
        st.tuples(st.just("cancel"), st.integers(0, 99)),
        st.tuples(st.just("again"), st.integers(0, 99)),
    ),
    max_size=60,
)


class Line:
    """A queue, and what was given out of it."""

    def __init__(self):
        self.queue = Queue()
        self.arrivals = 0
        self.given = []

    def accept(self, owner, work):
        self.arrivals += 1
        task = Task(task_id(self.arrivals), demand(pixels=work, steps=1), self.arrivals, owner)
        self.queue.add(task)
        return task

    def give(self):
        task = next(iter(self.queue))
        self.queue.give(task.task_id)
        task.attempts += 1
        self.given.append(task)
        return task

    def play(self, moves):
        for name, *how in moves:
            waiting = list(self.queue)
            if name == "accept":
                self.accept(*how)
            elif name == "give" and waiting:
                self.give()
            elif name == "cancel" and waiting:
                self.queue.remove(waiting[how[0] % len(waiting)].task_id)
            elif name == "again" and self.given:
                task = self.given[how[0] % len(self.given)]
                if task.task_id not in self.queue:
                    self.queue.add(task)
        return self


@given(MOVES)
def test_queue__after_any_moves__keeps_each_owners_order_and_finds_every_task(moves):
    queue = Line().play(moves).queue
    waiting = list(queue)
    assert len(waiting) == len(queue)
    for owner in range(1, 5):
        arrivals = [task.arrival for task in waiting if task.owner == owner]
        assert arrivals == sorted(arrivals)
    for position, task in enumerate(waiting):
        assert task.task_id in queue
        assert queue.position(task.task_id) == position


@given(MOVES)
def test_queue__an_owner_that_was_not_there__waits_for_one_task_of_each_other_at_most(moves):
    line = Line().play(moves)
    newcomer = line.accept(9, 1)
    ahead = list(line.queue)[: line.queue.position(newcomer.task_id)]
    fresh = Counter(task.owner for task in ahead if not task.attempts)
    assert all(count == 1 for count in fresh.values())


@given(st.lists(st.tuples(OWNERS, WORK), min_size=40, max_size=120))
def test_queue__owners_that_always_wait__get_equal_work_but_for_two_tasks(asked):
    line = Line()
    left = Counter()
    for owner, work in asked:
        line.accept(owner, work)
        left[owner] += 1
    largest = max(work for _, work in asked)
    served = Counter()
    while True:
        task = line.give()
        served[task.owner] += task.demand.work
        left[task.owner] -= 1
        if not left[task.owner]:
            break
        assert max(served[owner] for owner in left) - min(served[owner] for owner in left) <= 2 * largest


@given(MOVES)
def test_queue__the_same_moves__give_the_same_order(moves):
    first, second = Line().play(moves), Line().play(moves)
    assert [task.task_id for task in first.queue] == [task.task_id for task in second.queue]
    assert [task.task_id for task in first.given] == [task.task_id for task in second.given]


@given(MOVES)
def test_queue__one_that_comes_back__stands_where_it_stood(moves):
    line = Line().play(moves)
    before = [task.task_id for task in line.queue]
    if before:
        line.queue.add(line.give())
        assert [task.task_id for task in line.queue] == before


def test_queue__all_of_an_owner_cancelled__its_next_task_pays_nothing_for_them():
    line = Line()
    line.accept(1, 10)
    for _ in range(20):
        line.queue.remove(line.accept(2, 10).task_id)
    mine = line.accept(2, 10)
    line.accept(1, 10)
    assert line.queue.position(mine.task_id) == 1


def test_dispatch__one_owner_has_filled_the_queue__another_is_served_next():
    world = World()
    for number in range(1, 101):
        world.accept(number, owner=1)
    world.join(1)
    world.accept(200, owner=2)
    assert world.state.position(task_id(200)) == 0
    attempt = of(world.decisions, AssignTask)[0]
    world.result(attempt)
    assert of(world.park(1), AssignTask)[0].task_id == task_id(200)


def test_dispatch__large_tasks_against_small_ones__work_is_shared_and_not_the_count():
    world = World()
    world.sign_in(1)
    for number in range(1, 41):
        world.accept(number, demand(steps=40), owner=1)
        world.accept(1_000 + number, demand(steps=10), owner=2)
    large = small = 0
    for _ in range(25):
        attempt = of(world.park(1), AssignTask)[0]
        large, small = large + (int(attempt.task_id, 16) < 1_000), small + (int(attempt.task_id, 16) >= 1_000)
        world.result(attempt)
    assert (large, small) == (5, 20)


def test_dispatch__two_models_on_one_miner__neither_waits_for_the_others_backlog():
    world = World()
    world.sign_in(1, capabilities=(capability(), capability(OTHER_MODEL)))
    for number in range(1, 51):
        world.accept(number, demand(MODEL), owner=1)
    for number in range(51, 54):
        world.accept(number, demand(OTHER_MODEL), owner=2)
    order = []
    for _ in range(6):
        attempt = of(world.park(1, models=(MODEL, OTHER_MODEL)), AssignTask)[0]
        order.append(int(attempt.task_id, 16))
        world.result(attempt)
    assert order == [1, 51, 2, 52, 3, 53]


@pytest.mark.parametrize("failure", [FailureKind.LOST, FailureKind.REPORTED])
def test_restart__open_tasks_of_two_owners__one_that_was_tried_goes_first_and_they_take_turns(failure):
    world = World(period=None)
    for number, owner in ((1, 1), (2, 1), (3, 1), (4, 2), (5, 2)):
        world.feed(TaskRestored(now=world.now, task_id=task_id(number), demand=demand(), owner=owner))
        if number == 1:
            world.feed(
                AttemptRestored(
                    now=world.now,
                    task_id=task_id(1),
                    attempt=1,
                    node=NodeId(7),
                    sequence=1,
                    assigned_at=world.now - 5,
                    deadline=int(world.now) + 30,
                    failure=failure,
                    reason="",
                )
            )
    order = [int(task.task_id, 16) for task in world.state.pools[MODEL].queue]
    assert order[0] == 1
    assert order.index(4) < order.index(3)
    assert order.index(2) < order.index(3)
    assert order.index(4) < order.index(5)
