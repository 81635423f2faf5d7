import asyncio
import json
import sqlite3

import pytest

from cuckoo.domain.amounts import CAI
from cuckoo.domain.identifiers import NodeId, TaskId
from cuckoo.storage.ledger import EARNED, OWED
from cuckoo.storage.records import NewEntry
from cuckoo.storage.store import open_store


def fill(folder, account, *amounts):
    async def run():
        async with open_store(folder) as store:
            for number, amount in enumerate(amounts):
                entry = NewEntry(
                    account=account,
                    kind="result",
                    amount_wei=amount,
                    counterparty=NodeId(7),
                    at=86_400.0 * number,
                    task_id=TaskId(f"{number:032x}"),
                    attempt=1,
                )
                await store.writer.execute(store.ledger.append(entry))

    asyncio.run(run())


def test_show__newest_rows__exact_to_the_wei_in_order(cuckoo, devnet):
    fill(devnet / "miner-2", EARNED, 10**20 + 1, 5, CAI)
    rows = json.loads(cuckoo("ledger", "show", "--limit", 2, "--json").stdout)
    assert [(row["cai"], row["sum"], row["with"]) for row in rows] == [
        ("0.000000000000000005", "100.000000000000000006", 7),
        ("1", "101.000000000000000006", 7),
    ]
    assert len(json.loads(cuckoo("ledger", "show", "--since", "1970-01-03", "--json").stdout)) == 1
    assert "100.000000000000000001" in cuckoo("ledger", "show").stdout


def test_show__csv__all_rows_in_a_file(cuckoo, devnet, tmp_path):
    fill(devnet / "coordinator-1", OWED, *[1] * 60)
    assert cuckoo("ledger", "show", "--csv", tmp_path / "rows.csv").exit_code == 0
    lines = (tmp_path / "rows.csv").read_text(encoding="utf-8").splitlines()
    assert lines[0].startswith("time,account,kind,with,cai,sum,task")
    assert len(lines) == 61
    assert "write" in cuckoo("ledger", "show", "--csv", tmp_path / "no" / "rows.csv").stderr


def test_show__the_role_has_it_open__works(cuckoo, devnet):
    async def run():
        async with open_store(devnet / "miner-2"):
            return await asyncio.to_thread(cuckoo, "ledger", "show", "--json")

    assert json.loads(asyncio.run(run()).stdout) == []


@pytest.mark.parametrize("command", [("ledger", "show"), ("ledger", "check"), ("miner", "earnings")])
def test_books__none_there__says_where_it_looked(cuckoo, devnet, command):
    result = cuckoo(*command)
    assert result.exit_code == 2
    assert f"there is none in {devnet}" in result.stderr


def test_books__several__says_which(cuckoo, devnet):
    for name in ("miner-2", "miner-3", "coordinator-1"):
        fill(devnet / name, EARNED, 1)
    result = cuckoo("ledger", "show", "--role", "miner")
    assert result.exit_code == 2
    assert "(miner-2, miner-3)" in result.stderr
    assert cuckoo("ledger", "show", "--node", 3).exit_code == 0
    assert cuckoo("ledger", "show", "--role", "coordinator").exit_code == 0


@pytest.mark.parametrize(("version", "todo"), [(2, "start its role once"), (9_999, "install the newer Cuckoo")])
def test_books__of_another_version__says_what_to_do(cuckoo, devnet, version, todo):
    fill(devnet / "miner-2", EARNED, 1)
    with sqlite3.connect(devnet / "miner-2" / "cuckoo.sqlite") as connection:
        connection.execute(f"PRAGMA user_version = {version}")
    result = cuckoo("ledger", "show")
    assert result.exit_code == 2
    assert todo in result.stderr


def test_check__chain_does_not_answer__an_error_and_no_verdict(cuckoo, devnet):
    fill(devnet / "miner-2", EARNED, 1)
    result = cuckoo("ledger", "check")
    assert result.exit_code == 1
    assert "agree" not in result.stdout + result.stderr


def test_earnings__options_before_the_subcommand__are_refused(cuckoo, devnet):
    fill(devnet / "miner-2", EARNED, 3 * CAI)
    assert "write options after earnings" in cuckoo("miner", "--threads", 2, "earnings").stderr
    shown = cuckoo("miner", "earnings")
    assert shown.exit_code == 0
    assert "total" in shown.stdout
    found = json.loads(cuckoo("miner", "earnings", "--json").stdout)
    assert found["periods"]["total"]["earned"] == "3"
    assert found["coordinators"][0]["coordinator"] == 7
    assert cuckoo("miner", "earnings", "--csv", "-").stdout.splitlines()[1] == "1970-01-01,7,,1,3,0"
