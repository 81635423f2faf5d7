"""Faults that are planted one at a time into the product's source as it is imported: each must be found."""

from dataclasses import dataclass
from importlib.machinery import SourceFileLoader


@dataclass(frozen=True)
class Planted:
    """One wrong line."""

    what: str
    module: str
    right: str
    wrong: str


_STEP = "cuckoo.scheduler.step"
_TRANSITION = "cuckoo.scheduler.transition"
_TASKS = "cuckoo.storage.tasks"

PLANTED = (
    Planted(
        "a retry does not fence",
        _STEP,
        "            self.fence(task.last)\n        miner, demand",
        "            pass\n        miner, demand",
    ),
    Planted(
        "a failed attempt's task is not queued again",
        _STEP,
        "            self.state.pool(task.demand.model).queue.add(task)\n            self.touch(task.demand.model)\n        if penalise",
        "            self.touch(task.demand.model)\n        if penalise",
    ),
    Planted("nobody watches an attempt", _STEP, "        self.watch(attempt, self.next_look(attempt))\n", ""),
    Planted("sequence numbers stand still", _STEP, "        miner.sequence += 1\n", ""),
    Planted(
        "a completed task stays open",
        _STEP,
        "        self.close(task)\n        self.decisions.append(\n            CompleteTask",
        "        self.decisions.append(\n            CompleteTask",
    ),
    Planted(
        "a result that is not live is taken",
        "cuckoo.scheduler.state",
        "return last is not None and last.number == attempt and last.node == node",
        "return last is not None",
    ),
    Planted(
        "a lost miner keeps its attempts",
        _TRANSITION,
        "    for number, attempt in enumerate(tuple(miner.attempts)):\n        step.fail(attempt, FailureKind.LOST",
        "    for number, attempt in enumerate(()):\n        step.fail(attempt, FailureKind.LOST",
    ),
    Planted(
        "a new attempt does not end the old one on disk",
        _TASKS,
        "            if last:\n                _end_open(connection, position, AttemptState.FENCED, attempt.assigned_at)\n",
        "",
    ),
    Planted(
        "a restart reads only waiting tasks",
        _TASKS,
        "WHERE ended_at IS NULL ORDER BY position",
        "WHERE status = 'queued' ORDER BY position",
    ),
    Planted(
        "open tasks come back in the wrong order",
        _TASKS,
        "WHERE ended_at IS NULL ORDER BY position",
        "WHERE ended_at IS NULL ORDER BY position DESC",
    ),
    Planted(
        "pictures are not synced before the commit",
        "cuckoo.storage.blobs",
        "        writer.before_commit(self._segments.sync)\n",
        "",
    ),
    Planted(
        "what waits is answered before it is on disk",
        "cuckoo.services.dispatch.engine",
        "        self.record(command, todo.effects, quick=quick)",
        "        self.submit(command, lambda _: None, quick=quick)\n        self._run(todo.effects)",
    ),
    Planted(
        "a late report is booked as a cancelled attempt",
        "cuckoo.storage.ledger",
        "kind = 'cancelled'",
        "kind IN ('result', 'cancelled')",
    ),
)


def plant(number):
    """Have one fault in everything that is imported from now on."""
    fault = PLANTED[number]
    get_code = SourceFileLoader.get_code

    def planted(self, name):
        if name != fault.module:
            return get_code(self, name)
        source = self.get_source(name)
        if source.count(fault.right) != 1:
            raise ValueError(f"plant {fault.what!r}: its place is there {source.count(fault.right)} times in {name}")
        return compile(source.replace(fault.right, fault.wrong), self.path, "exec")

    SourceFileLoader.get_code = planted
