"""Everything about one model: who serves it, who is active now, and which tasks wait."""

import heapq
from collections.abc import Iterator
from operator import attrgetter

from cuckoo.domain.amounts import Wei
from cuckoo.domain.identifiers import ModelDigest, NodeId, TaskId
from cuckoo.scheduler.eligibility import Exclusion, Limits, Roster
from cuckoo.scheduler.fairness import OddsTally
from cuckoo.scheduler.fenwick import SumTree
from cuckoo.scheduler.records import Miner, Task


class Queue:
    """Tasks that wait, in order of acceptance; one that comes back for another try keeps its place."""

    __slots__ = ("_back", "_fresh")

    def __init__(self) -> None:
        """Start empty."""
        self._fresh: dict[TaskId, Task] = {}
        self._back: dict[TaskId, Task] = {}

    def __len__(self) -> int:
        """Return how many tasks wait."""
        return len(self._fresh) + len(self._back)

    def __iter__(self) -> Iterator[Task]:
        """Yield the tasks in order; the queue must not change meanwhile."""
        if not self._back:
            return iter(self._fresh.values())
        by_arrival = attrgetter("arrival")
        return heapq.merge(self._fresh.values(), sorted(self._back.values(), key=by_arrival), key=by_arrival)

    def __contains__(self, task_id: TaskId) -> bool:
        """Tell whether a task waits."""
        return task_id in self._fresh or task_id in self._back

    def add(self, task: Task) -> None:
        """Put a task at the end or, when it has been tried, back at its place."""
        (self._back if task.attempts else self._fresh)[task.task_id] = task

    def remove(self, task_id: TaskId) -> None:
        """Take a task out; without effect when it does not wait."""
        if self._fresh.pop(task_id, None) is None:
            self._back.pop(task_id, None)


class Pool:
    """The miners and tasks of one model.

    Attributes:
        tree: weights of the active nodes.
        active: those nodes by their limits.
        capable: signed-in, healthy nodes with weight that serve the model, busy ones included.
        queue: tasks that wait.
        odds: wins and odds so far.
    """

    __slots__ = ("active", "capable", "model", "odds", "queue", "tree")

    def __init__(self, model: ModelDigest) -> None:
        """Start empty."""
        self.model = model
        self.tree = SumTree()
        self.active = Roster()
        self.capable = Roster()
        self.queue = Queue()
        self.odds = OddsTally()

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
