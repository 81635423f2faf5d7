"""``cuckoo status``: every role, alive or not, without a key or a chain."""

import json
import os
import time

import pytest

from cuckoo.cli import status
from cuckoo.domain.status import Account, Backing, CoordinatorState, MinerState, Report, StakerState
from cuckoo.storage.lock import DirectoryLock
from cuckoo.storage.status import Found, write_report

COORDINATOR = CoordinatorState(
    node=1,
    weight="2000000",
    not_eligible="",
    miners=1,
    queued=3,
    running=2,
    done_today=40,
    failed_today=1,
    owed="1234.5",
    redeemed="20",
    free="8",
    free_least="8",
    wallet="55",
    gas="0.5",
    lasts_s=2 * 86_400 + 5,
    accounts_known=1,
    accounts=(Account(miner=2, signed_in=True, owed="1234.5", redeemed="20", free="8"),),
    warnings={"wallet_low": "55 CAI last 2.0 days at the present rate"},
)
MINER = MinerState(
    node=2,
    weight="0",
    not_eligible="node 2 is in jail",
    models=("emoji-64",),
    devices=("cpu",),
    running=1,
    done_today=7,
    gas=None,
    backing=(
        Backing(coordinator=1, signed_in=True, unredeemed="12", in_flight="1", free="0", redeemed="3", stopped="used"),
    ),
    warnings={"no_weight": "node 2 is in jail"},
)
STAKER = StakerState(
    address="0xAb",
    wallet="1",
    gas="2",
    idle="3",
    nodes=2,
    active="20300",
    rewards="5",
    unbonding="6",
    releasable="6",
    warnings={},
)


def report(state, at=None, *, stopped=False, pid=None):
    now = time.time() if at is None else at
    return Report(
        network="devnet",
        pid=pid or os.getpid(),
        started_at=now - 7_200,
        at=now,
        every_s=5.0,
        stopped=stopped,
        state=state,
    )


@pytest.fixture
def roles(data_dir):
    for name, state in (("coordinator-1", COORDINATOR), ("miner-2", MINER), ("staker-0xAb", STAKER)):
        folder = data_dir / "devnet" / name
        folder.mkdir(parents=True)
        write_report(folder, report(state))
    return data_dir / "devnet"


def test_status__nothing_ever_ran__says_so(cuckoo):
    result = cuckoo("status")
    assert result.exit_code == 0
    assert "no role has run on network devnet" in result.stderr
    assert json.loads(cuckoo("status", "--json").stdout) == {"network": "devnet", "roles": []}


def test_status__roles__for_people(cuckoo, roles):
    with DirectoryLock(roles / "coordinator-1"):
        shown = cuckoo("status").stdout
    for text in (
        "coordinator node 1  running for 2 hours",
        "2,000,000 CAI, eligible",
        "3 waiting, 2 running; today 40 done, 1 failed",
        "1,234.5 CAI owed, 20 redeemed",
        "55 CAI, lasts 2 days at the present rate; 0.5 for gas",
        "warning        55 CAI last 2.0 days",
        "miner node 2  not running: it died after",
        "0 CAI, not eligible",
        "no work from   1: used",
        "warning        node 2 is in jail",
        "staker 0xAb",
        "20,300 CAI behind 2 nodes",
        "6 CAI, 6 of it free now",
    ):
        assert text in shown


def test_status__json__has_conditions_and_plain_amounts(cuckoo, roles):
    write_report(roles / "staker-0xAb", report(STAKER, stopped=True))
    with DirectoryLock(roles / "coordinator-1"):
        found = json.loads(cuckoo("status", "--json").stdout)["roles"]
    assert [(one["role"], one["condition"]) for one in found] == [
        ("coordinator", "running"),
        ("miner", "died"),
        ("staker", "stopped"),
    ]
    assert found[0]["accounts"] == [{"miner": 2, "signed_in": True, "owed": "1234.5", "redeemed": "20", "free": "8"}]
    assert found[0]["warnings"] == COORDINATOR.warnings
    assert found[1]["backing"][0]["stopped"] == "used"
    assert [one["role"] for one in json.loads(cuckoo("status", "--role", "miner", "--json").stdout)["roles"]] == [
        "miner"
    ]


@pytest.mark.parametrize(
    ("age_s", "stopped", "pid", "condition"),
    [
        (0, False, 7, "running"),
        (24, False, 7, "running"),
        (26, False, 7, "hangs"),
        (0, True, None, "stopped"),
        (0, False, None, "died"),
        (900, True, 8, "starting"),
    ],
)
def test_condition__of_a_role__follows_lock_and_age(tmp_path, age_s, stopped, pid, condition):
    found = Found(folder=tmp_path, report=report(STAKER, 1_000.0, stopped=stopped, pid=7), pid=pid)
    assert status.condition(found, 1_000.0 + age_s) == condition
