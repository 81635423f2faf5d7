"""What must hold after every step, after every commit, and when all is over."""

import collections
import sqlite3
from contextlib import closing

import msgspec

from cuckoo.domain.task import TaskStatus
from cuckoo.protocol.png import difference, receipt_in
from cuckoo.scheduler.decisions import AssignTask, CompleteTask, EndSession, FenceAttempt
from cuckoo.scheduler.drawlog import first_head
from cuckoo.scheduler.replay import replay
from cuckoo.storage.logrows import decode_rows


class Broken(AssertionError):
    """What must always hold did not."""


def demand(holds, otherwise):
    if not holds:
        raise Broken(otherwise)


class Checks:
    """Remembers what was said, and compares."""

    def __init__(self, world):
        self._world = world
        self._acknowledged = {}
        self._final = {}
        self._written = {}
        self._fenced = set()
        self._receipts = {}
        self._by_key = {}
        self.commits = self.transitions = self.restarts = 0
        self.done = self.failed = self.cancelled = 0
        self.audits = collections.Counter()
        self.broken = None

    def _note(self, error):
        """Keep what was found first: it may be raised where somebody swallows it."""
        if self.broken is None:
            self.broken = error
            self._world.tell(f"BROKEN: {error}")

    # Apps.

    def acknowledged(self, app, number, task_id):
        before = self._by_key.setdefault((app, number), task_id)
        demand(before == task_id, f"one request of {app} became two tasks")
        self._acknowledged[task_id] = app
        self._world.tell(f"{app} is told: task {task_id[:6]} is taken")

    def told(self, task_id, status):
        if status.final:
            before = self._final.setdefault(task_id, status)
            demand(before is status, f"task {task_id} was {before}, then {status}")
        else:
            demand(task_id not in self._final, f"task {task_id} had ended, and is {status} again")

    def picture(self, task_id, picture, expected):
        demand(
            receipt_in(picture).assignment.task_id == task_id,
            f"the receipt in the picture of task {task_id} is another's",
        )
        apart, _ = difference(picture, expected)
        demand(apart <= max(self._world.apart, default=0.0) + 1e-4, f"the picture of task {task_id} is another's")

    # Miners.

    def signed(self, number, upload):
        """One assignment, one receipt: whatever happened in between."""
        key = (number, upload.receipt.assignment_hash)
        said = (msgspec.msgpack.encode(upload.receipt), upload.signature)
        if self._receipts.setdefault(key, said) != said:
            self._note(Broken(f"miner {number} signed two receipts for one assignment"))

    # The scheduler.

    def watch(self, engine):
        """Look at every transition of a coordinator's life; what its last one decided and did not write is forgotten."""
        self._fenced = set()
        apply = engine.apply

        def watched(event, completion=None):
            before = self._waiting(engine.state)
            decisions = apply(event, completion)
            try:
                self.transitions += 1
                self._decided(engine.state, before, decisions)
            except Broken as error:
                self._note(error)
            return decisions

        engine.apply = watched

    @staticmethod
    def _waiting(state):
        """Return the tasks that nobody has tried, in order of arrival, as those see it that only count."""
        fresh = [one for one in state.tasks.values() if not one.attempts and not one.demand.avoid]
        return sorted((one.arrival, one.task_id) for one in fresh)

    def _decided(self, state, before, decisions):
        order = dict(map(reversed, before))
        assigned = [one.task_id for one in decisions if isinstance(one, AssignTask) and one.attempt == 1]
        fresh = [one for one in assigned if one in order]
        left = [at for at, task_id in before if task_id not in assigned and task_id in state.tasks]
        if fresh and left:
            demand(max(order[one] for one in fresh) < min(left), f"task {fresh[-1]} overtook one that waits longer")
        for one in decisions:
            if isinstance(one, FenceAttempt):
                self._fenced.add((one.task_id, one.attempt))
            elif isinstance(one, CompleteTask):
                key = (one.task_id, one.attempt)
                demand(key not in self._fenced, f"attempt {key} was fenced, and its result was taken")
            elif isinstance(one, AssignTask):
                self._world.tell(f"   task {one.task_id[:6]}/{one.attempt} goes to miner {one.node}")
            elif isinstance(one, EndSession):
                demand(not state.miners[one.node].attempts, f"miner {one.node} is gone, and its attempts are not")
        in_flight = collections.Counter()
        for task in state.tasks.values():
            last = task.last
            if last is not None:
                in_flight[last.node] += task.demand.price_wei
            waits = state.position(task.task_id) is not None
            runs = last is not None and not last.failed and not last.over
            demand(waits != runs, f"task {task.task_id} {'waits and runs' if waits else 'neither waits nor runs'}")
            if runs:
                miner = state.miners[last.node]
                demand(last in miner.attempts, f"attempt {last.number} of task {task.task_id} is on nobody's list")
                demand(any(one[2] is last for one in state.timers), f"nobody watches task {task.task_id}")
        for node, miner in state.miners.items():
            held = miner.in_flight_wei
            demand(held == in_flight[node], f"miner {node}: {held} wei are held in flight, {in_flight[node]} are")

    def restarted(self, engine):
        """What was acknowledged and has not ended is there again."""
        self.restarts += 1
        with closing(_open(self._world.coordinator.disk.folder)) as books:
            rows = books.execute("SELECT hex(task_id) FROM tasks WHERE ended_at IS NULL ORDER BY position").fetchall()
        tasks = sorted(engine.state.tasks.values(), key=lambda task: task.arrival)
        if [task.task_id for task in tasks] != [task_id.lower() for (task_id,) in rows]:
            self._note(Broken("a restart brought the tasks back in another order, or not all of them"))
        for task_id in self._acknowledged:
            ended = task_id in self._final or task_id in self._written
            if not ended and engine.tasks.get(task_id) is None:
                self._note(Broken(f"task {task_id} was acknowledged, and a restart forgot it"))

    # The database.

    def committed(self, connection):
        try:
            self.commits += 1
            self._committed(connection)
        except Broken as error:
            self._note(error)

    def _committed(self, connection):
        ended = connection.execute("SELECT hex(task_id), status FROM tasks WHERE ended_at IS NOT NULL").fetchall()
        for task_id, status in ended:
            before = self._written.setdefault(task_id.lower(), status)
            demand(before == status, f"task {task_id} was {before} on disk, then {status}")
        known = {task_id.lower() for (task_id,) in connection.execute("SELECT hex(task_id) FROM tasks")}
        for task_id in self._acknowledged:
            demand(task_id in known, f"task {task_id} was acknowledged, and is gone from the disk")
        for what, query in QUERIES.items():
            found = connection.execute(query).fetchone()
            demand(found is None, f"{what}: {found}")

    # The end.

    def unsettled(self):
        """Count the audits that are open, and the results that no miner has its last answer to."""
        with closing(_open(self._world.coordinator.disk.folder)) as books:
            count = books.execute("SELECT count(*) FROM audits WHERE state = 'open'").fetchone()[0]
        for process in self._world.miners.values():
            with closing(_open(process.disk.folder)) as own:
                count += own.execute("SELECT count(*) FROM receipts WHERE state = 'signed'").fetchone()[0]
        return count

    def reckon(self):
        """Compare the coordinator's books with every miner's, and with what apps were told."""
        if self.broken is not None:
            raise self.broken
        world = self._world
        for name, status in self._final.items():
            demand(
                self._written.get(name) == status.value,
                f"task {name}: told {status}, on disk {self._written.get(name)}",
            )
        missing = set(self._acknowledged) - set(self._final)
        demand(not missing, f"nobody was told how these tasks ended: {missing}")
        for status in self._final.values():
            self.done += status is TaskStatus.DONE
            self.failed += status is TaskStatus.FAILED
            self.cancelled += status is TaskStatus.CANCELLED
        books = _open(world.coordinator.disk.folder)
        self._committed(books)
        self._replay(books)
        self.audits.update(dict(books.execute("SELECT state, count(*) FROM audits GROUP BY state").fetchall()))
        self.accused = books.execute("SELECT count(*) FROM accusations").fetchone()[0]
        demand(not self.audits["failed"] and not self.accused, "all miners are honest, and one was found wrong")
        self._money(books)

    def _replay(self, books):
        seeds = {}
        for tip_id, tip in books.execute("SELECT tip_id, tip FROM seed_tips"):
            seeds = dict(books.execute("SELECT period, seed FROM draw_periods WHERE tip_id = ?", (tip_id,)).fetchall())
            chunks = books.execute(
                "SELECT rows, head FROM draw_chunks WHERE tip_id = ? ORDER BY first_row", (tip_id,)
            ).fetchall()
            if not chunks:
                continue
            rows = [row for data, _ in chunks for row in decode_rows(data)]
            found = replay(rows, seeds, first_head(tip), 0)
            demand(found.head == chunks[-1][1], f"the log of tip {tip_id} does not lead to its head")
            heads = {draw.row.index: (draw.head, draw.row.node) for draw in found.draws}
            for index, head, node in books.execute(
                "SELECT draw_index, draw_head, miner_node FROM attempts WHERE seed_tip = ?", (tip,)
            ):
                demand(heads.get(index) == (head, node), f"draw {index} of tip {tip_id} is not what was signed")

    def _money(self, books):
        for process in self._world.miners.values():
            own = _open(process.disk.folder)
            owed = _sum(books, "owed", process.number)
            earned = _sum(own, "earned", 1)
            best = own.execute("SELECT cumulative_wei FROM vouchers").fetchone()
            best_wei = int(best[0]) if best else 0
            unheard = _sum(books, "owed", process.number, "cancelled")  # may come with the next sign-in only
            wrong = f"miner {process.number}: its voucher holds {best_wei}, it is owed {owed}"
            demand(owed - unheard <= best_wei <= owed, wrong)
            demand(earned <= owed, f"miner {process.number} booked {earned}, it is owed {owed}")
            accepted = own.execute("SELECT hex(assignment_hash) FROM receipts WHERE state = 'accepted'")
            for (assignment_hash,) in accepted:
                row = books.execute(
                    "SELECT state FROM attempts WHERE hex(assignment_hash) = ?", (assignment_hash,)
                ).fetchone()
                demand(row == ("done",), f"miner {process.number}: an accepted result is {row} at the coordinator")
            waiting = own.execute("SELECT count(*) FROM receipts WHERE state = 'signed'").fetchone()[0]
            demand(not waiting, f"miner {process.number}: {waiting} results were never answered")
            own.close()
        unpaid = books.execute(UNPAID).fetchone()
        demand(unpaid is None, f"a result was neither paid nor found wrong: {unpaid}")
        books.close()


def _open(folder):
    return sqlite3.connect(f"file:{folder / 'cuckoo.sqlite'}?mode=ro", uri=True)


def _sum(connection, account, counterparty, kind="%"):
    rows = connection.execute(
        "SELECT amount_wei FROM ledger WHERE account = ? AND counterparty = ? AND kind LIKE ?",
        (account, counterparty, kind),
    )
    return sum(int(amount) for (amount,) in rows)


QUERIES = {
    "a later attempt was given out, and an earlier one was taken": """
        SELECT one.task, one.attempt FROM attempts one JOIN attempts later
        ON later.task = one.task AND later.attempt > one.attempt WHERE one.state = 'done'""",
    "a later attempt was given out, and an earlier one is not over": """
        SELECT one.task, one.attempt FROM attempts one JOIN attempts later
        ON later.task = one.task AND later.attempt > one.attempt WHERE one.state IN ('running', 'lost')""",
    "two attempts run at once": """
        SELECT task FROM attempts WHERE state = 'running' GROUP BY task HAVING count(*) > 1""",
    "a sequence number was used twice": """
        SELECT miner_node, sequence FROM attempts GROUP BY miner_node, sequence HAVING count(*) > 1""",
    "a task is paid twice": """
        SELECT hex(task_id) FROM ledger WHERE kind = 'result' AND account = 'owed'
        GROUP BY task_id HAVING count(*) > 1""",
    "a task is done without a result": """
        SELECT position FROM tasks WHERE status = 'done' AND position NOT IN
        (SELECT task FROM attempts WHERE state = 'done')""",
    "a picture is named that is not kept": """
        SELECT hex(blob_hash) FROM pictures WHERE blob_hash NOT IN (SELECT hash FROM blobs)""",
    "an open task runs without an attempt that runs": """
        SELECT position FROM tasks WHERE status = 'running' AND position NOT IN
        (SELECT task FROM attempts WHERE state = 'running')""",
}

UNPAID = """
    SELECT hex(tasks.task_id), attempts.attempt FROM attempts JOIN tasks ON tasks.position = attempts.task
    WHERE attempts.state = 'done'
    AND NOT EXISTS (SELECT 1 FROM ledger WHERE account = 'owed' AND kind = 'result'
                    AND task_id = tasks.task_id AND attempt = attempts.attempt)
    AND NOT EXISTS (SELECT 1 FROM audits WHERE task_id = tasks.task_id AND attempt = attempts.attempt
                    AND state != 'passed')"""
