"""Everything about one model: who serves it, who is active now, and which tasks wait."""

from bisect import bisect_left, insort
from collections.abc import Iterator
from dataclasses import dataclass

from cuckoo.domain.amounts import Wei
from cuckoo.domain.identifiers import ModelDigest, NodeId, TaskId
from cuckoo.scheduler.eligibility import Exclusion, Limits, Roster
from cuckoo.scheduler.fairness import OddsTally
from cuckoo.scheduler.fenwick import SumTree
from cuckoo.scheduler.records import Miner, Task


@dataclass(slots=True)
class _Lane:
    """What one owner has asked for in a queue, in pixel-steps of the queue's virtual time.

    Attributes:
        waiting: how many of its tasks wait.
        accepted: where its last accepted task ends; its next one starts there.
        served: where its last task that was given out ends.
    """

    waiting: int = 0
    accepted: int = 0
    served: int = 0


class Queue:
    """Tasks that wait, fair between their owners: start-time fair queueing by work.

    A task starts, in virtual time, where its owner's task before it ends, or where the queue is now when that is later;
    it ends its work (pixel-steps) after that. Tasks are given out by their start, among equals by arrival. So an owner
    that had nothing waiting comes after at most one task of each other owner, owners that always have something waiting
    get equal work, and the tasks of one owner keep their order. A task that comes back for another try keeps its place.

    Every operation takes O(log n) comparisons. What an insertion moves is one block of pointers: 10,000 tasks are
    80 KB, a few microseconds.

    Source: P. Goyal, H. Vin, H. Cheng, "Start-time Fair Queueing", SIGCOMM 1996.
    """

    __slots__ = ("_lanes", "_now", "_order", "_waiting")

    def __init__(self) -> None:
        """Start empty."""
        self._order: list[tuple[int, int, Task]] = []
        self._waiting: dict[TaskId, Task] = {}
        self._lanes: dict[int | None, _Lane] = {}
        self._now = 0

    def __len__(self) -> int:
        """Return how many tasks wait."""
        return len(self._order)

    def __iter__(self) -> Iterator[Task]:
        """Yield the tasks in order; the queue must not change meanwhile."""
        return (task for _, _, task in self._order)

    def __contains__(self, task_id: TaskId) -> bool:
        """Tell whether a task waits."""
        return task_id in self._waiting

    def add(self, task: Task) -> None:
        """Put a task at its place; one that waited before goes back to where it was."""
        lane = self._lanes.setdefault(task.owner, _Lane())
        if task.start is None:
            task.start = max(self._now, lane.accepted)
            lane.accepted = task.start + max(1, task.demand.work)
        lane.waiting += 1
        self._waiting[task.task_id] = task
        insort(self._order, (task.start, task.arrival, task))

    def give(self, task_id: TaskId) -> None:
        """Take a task out because a miner gets it: the queue's time moves on."""
        task = self._waiting.get(task_id)
        if task is not None and task.start is not None:
            self._now = max(self._now, task.start)
            lane = self._lanes[task.owner]
            lane.served = max(lane.served, task.start + max(1, task.demand.work))
            self.remove(task_id)

    def remove(self, task_id: TaskId) -> None:
        """Take a task out; without effect when it does not wait.

        An owner that has nothing waiting any more owes nothing for tasks that were never given out.
        """
        task = self._waiting.pop(task_id, None)
        if task is None:
            return
        del self._order[self._index(task)]
        lane = self._lanes[task.owner]
        lane.waiting -= 1
        if not lane.waiting:
            lane.accepted = lane.served
        if not self._order:
            self._now = max(self._now, *(one.served for one in self._lanes.values()))
            self._lanes.clear()

    def position(self, task_id: TaskId) -> int | None:
        """Return how many tasks would be given out before this one as things stand; None when it does not wait."""
        task = self._waiting.get(task_id)
        return None if task is None else self._index(task)

    def _index(self, task: Task) -> int:
        return bisect_left(self._order, (task.start, task.arrival))


class Pool:
    """The miners and tasks of one model.

    Attributes:
        tree: weights of the active nodes.
        active: those nodes by their limits.
        capable: signed-in, healthy nodes with weight that serve the model, busy ones included.
        queue: tasks that wait.
        odds: wins and odds so far.
        turn: rises with every assignment of any model; the last one of this model.
        running: attempts in hand, prefetched ones included.
        slots: running slots of the capable nodes, all together.
    """

    __slots__ = ("_slots", "active", "capable", "model", "odds", "queue", "running", "slots", "tree", "turn")

    def __init__(self, model: ModelDigest) -> None:
        """Start empty."""
        self.model = model
        self.tree = SumTree()
        self.active = Roster()
        self.capable = Roster()
        self.queue = Queue()
        self.odds = OddsTally()
        self.turn = 0
        self.running = 0
        self.slots = 0
        self._slots: dict[NodeId, int] = {}

    def set_capable(self, node: NodeId, limits: Limits, slots: int) -> None:
        """Make a node capable, or change its limits or its number of running slots."""
        self.capable.put(node, limits)
        self.slots += slots - self._slots.get(node, 0)
        self._slots[node] = slots

    def set_incapable(self, node: NodeId) -> None:
        """Take a capable node out."""
        self.capable.drop(node)
        self.slots -= self._slots.pop(node, 0)

    def set_active(self, node: NodeId, limits: Limits, weight_wei: int) -> None:
        """Make a node active, or change its weight or limits."""
        if self.tree.weight(node) != weight_wei:
            self.tree.set(node, weight_wei)
            self.odds.weigh(node, weight_wei)
        self.active.put(node, limits)

    def set_inactive(self, node: NodeId) -> None:
        """Take an active node out."""
        self.tree.set(node, 0)
        self.odds.weigh(node, 0)
        self.active.drop(node)

    def excluded(self, task: Task, miners: dict[NodeId, Miner]) -> dict[NodeId, Exclusion]:
        """Return the active nodes that may not win this task, with their reasons.

        Nodes that have tried it stay out as long as one that can do it has not: it may be busy now, and is waited for.
        """

        def free_escrow(node: NodeId) -> Wei:
            return miners[node].free_escrow_wei

        found = self.active.misfits(task.demand, free_escrow)
        for node in task.demand.avoid:
            if node in self.active:
                found[node] = Exclusion.PARTY
        tried = task.tried
        if tried:
            unfit = self.capable.misfits(task.demand, free_escrow)
            unfit |= {node: Exclusion.PARTY for node in task.demand.avoid if node in self.capable}
            done = sum(node in self.capable and node not in unfit for node in tried)
            if len(self.capable) - len(unfit) > done:
                for node in tried:
                    if node in self.active:
                        found.setdefault(node, Exclusion.TRIED)
        return found
