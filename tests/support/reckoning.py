"""Compare what apps were told with a coordinator's database, its ledger and the chain."""

import asyncio
import json
import os
import sqlite3
import sys
from collections import Counter
from dataclasses import dataclass, field

from cuckoo.storage.ledger import OWED

FINAL = ("done", "failed", "cancelled")


@dataclass
class Reckoning:
    """What came out. Everything from ``lost`` on must be empty or zero."""

    acknowledged: int = 0
    ended: Counter = field(default_factory=Counter)
    paid: int = 0
    paid_wei: int = 0
    lost: list[str] = field(default_factory=list)
    twice: list[str] = field(default_factory=list)
    wrong: list[str] = field(default_factory=list)

    @property
    def clean(self):
        return not (self.lost or self.twice or self.wrong)


def reckon(directory, told):
    """Compare a stopped coordinator's database with what apps were told.

    Args:
        directory: the coordinator's data folder.
        told: what each app was told, one entry a task.
    """
    outcome = Reckoning()
    with sqlite3.connect(f"file:{directory / 'cuckoo.sqlite'}?mode=ro", uri=True) as database:
        tasks = {
            task_id.hex(): (key, status, int(price))
            for task_id, key, status, price in database.execute(
                "SELECT task_id, idempotency_key, status, price_wei FROM tasks"
            )
        }
        done = Counter(
            task_id.hex()
            for (task_id,) in database.execute(
                "SELECT task_id FROM attempts JOIN tasks ON task = position WHERE state = 'done'"
            )
        )
        owed = [
            (task_id.hex(), attempt, kind, int(amount))
            for task_id, attempt, kind, amount in database.execute(
                "SELECT task_id, attempt, kind, amount_wei FROM ledger WHERE account = ? AND task_id NOT NULL", (OWED,)
            )
        ]
    for one in told:
        if not one.task_id:
            continue
        outcome.acknowledged += 1
        key, status, price = tasks.get(one.task_id, (None, "lost", 0))
        outcome.ended[status] += 1
        if key != one.key or (one.status and status != one.status) or price != one.price_wei:
            outcome.lost.append(f"{one.key} {one.task_id}: told {one.status} at {one.price_wei}, has {status}, {price}")
        if status not in FINAL:
            outcome.wrong.append(f"{one.key} {one.task_id}: still {status}, after everybody had time")
    known = {one.task_id for one in told}
    outcome.wrong += [f"{task_id}: nobody was told of it" for task_id in tasks if task_id not in known]
    _reckon_money(outcome, tasks, done, owed)
    return outcome


def _reckon_money(outcome, tasks, done, owed):
    results = Counter(task_id for task_id, _, kind, _ in owed if kind == "result")
    attempts = Counter((task_id, attempt) for task_id, attempt, _, _ in owed)
    outcome.paid = len(results)
    outcome.paid_wei = sum(amount for *_, amount in owed)
    outcome.twice += [f"task {task_id}: {count} results paid" for task_id, count in results.items() if count > 1]
    outcome.twice += [f"attempt {one}: paid {count} times" for one, count in attempts.items() if count > 1]
    paid = Counter()
    for task_id, _, _, amount in owed:
        paid[task_id] += amount
    for task_id, (_, status, price) in tasks.items():
        if (status == "done") != (done[task_id] == 1):
            outcome.wrong.append(f"task {task_id} is {status} with {done[task_id]} attempts done")
        if (status == "done") != (results[task_id] == 1):
            outcome.wrong.append(f"task {task_id} is {status} with {results[task_id]} results paid")
        if paid[task_id] > price or (status == "done" and paid[task_id] != price):
            outcome.wrong.append(
                f"task {task_id} is {status}: {paid[task_id]} wei are owed for it, its price is {price}"
            )


async def check_ledger(town, name, role):
    """Run ``cuckoo ledger check`` on the data of a process; returns ("", its JSON) or (what is wrong, JSON)."""
    command = ["ledger", "check", "--role", role, "--json"]
    place = ["--data-dir", str(town.folder / name), "--network", str(town.network_file)]
    child = await asyncio.create_subprocess_exec(
        sys.executable,
        "-m",
        "cuckoo",
        *command,
        *place,
        stdout=asyncio.subprocess.PIPE,
        stderr=asyncio.subprocess.PIPE,
        env=dict(os.environ),
    )
    output, errors = await child.communicate()
    said = json.loads(output) if output else {}
    if child.returncode == 0 and said.get("agree"):
        return "", said
    return f"{name}: exit code {child.returncode}: {said.get('differences') or errors.decode()[-2_000:]}", said
