"""A short run of ``make chaos``; and the reckoning at its end finds what it looks for."""

import shutil
import sqlite3
from contextlib import closing

import pytest

from tests.support import processes
from tests.support.chaos import Told
from tests.support.reckoning import reckon
from tests.system.chaos import chaos

KILLS, DISK_FULL = 6, 1


@pytest.fixture(scope="module")
def town_folder(tmp_path_factory):
    return tmp_path_factory.mktemp("chaos")


async def test_chaos__processes_killed_under_load__nothing_lost_nothing_paid_twice(town_folder, monkeypatch):
    monkeypatch.setattr(processes, "ENVIRONMENT", processes.ENVIRONMENT)
    strikes, outcome = await chaos(town_folder, kills=KILLS, disk_full=DISK_FULL, seed=11)
    assert sum(strikes.values()) >= KILLS + DISK_FULL
    assert outcome.acknowledged > 0
    assert (outcome.lost, outcome.twice, outcome.wrong) == ([], [], [])


FAULTS = {
    "a task is gone": ("DELETE FROM tasks WHERE task_id = :task", "lost"),
    "a task went back": ("UPDATE tasks SET status = 'queued', ended_at = NULL WHERE task_id = :task", "lost"),
    "nobody asked": ("UPDATE tasks SET task_id = zeroblob(16) WHERE task_id = :task", "wrong"),
    "paid twice": (
        (
            "INSERT INTO ledger (at, account, kind, counterparty, amount_wei, cumulative_wei, task_id, attempt) "
            "SELECT at, account, kind, counterparty, amount_wei, cumulative_wei, task_id, attempt + 1 FROM ledger "
            "WHERE account = 'owed' AND task_id = :task"
        ),
        "twice",
    ),
    "not paid": ("DELETE FROM ledger WHERE task_id = :task", "wrong"),
    "paid too little": ("UPDATE ledger SET amount_wei = '1' WHERE task_id = :task", "wrong"),
}


@pytest.mark.parametrize("fault", FAULTS)
def test_reckoning__fault_planted_in_the_database__is_found(town_folder, tmp_path, fault):
    (directory,) = (town_folder / "coordinator").glob("*/coordinator-*")
    shutil.copytree(directory, tmp_path / "copy")
    statement, found_in = FAULTS[fault]
    with closing(sqlite3.connect(tmp_path / "copy" / "cuckoo.sqlite", isolation_level=None)) as database:
        told = [
            Told(key, None, task_id.hex(), int(price), status)
            for task_id, key, price, status in database.execute(
                "SELECT task_id, idempotency_key, price_wei, status FROM tasks ORDER BY status = 'done' DESC"
            )
        ]
        assert reckon(tmp_path / "copy", told).clean
        assert told[0].status == "done"
        for trigger in ("ledger_never_changes", "ledger_never_shrinks"):
            database.execute(f"DROP TRIGGER {trigger}")
        database.execute(statement, {"task": bytes.fromhex(told[0].task_id)})
    assert getattr(reckon(tmp_path / "copy", told), found_in)
