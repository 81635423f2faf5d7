"""Real processes, real files: what was acknowledged is there after a kill -9 and after a full disk."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

import cuckoo
from cuckoo.domain.errors import ConfigError
from cuckoo.domain.identifiers import NodeId
from cuckoo.domain.task import TaskStatus
from cuckoo.storage.store import open_store

CHILD = Path(__file__).with_name("storage_child.py")
ORDER = {"queued": 0, "running": 1, "done": 2}
ENVIRONMENT = {**os.environ, "PYTHONPATH": str(Path(cuckoo.__file__).parent.parent)}


def start(directory: Path, file_limit_bytes: int = 0) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, str(CHILD), str(directory), str(file_limit_bytes)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env=ENVIRONMENT,
    )


def furthest(lines: list[str]) -> dict[str, str]:
    """The last state that was acknowledged of each task."""
    states: dict[str, str] = {}
    for line in lines:
        state, task = line.split()
        states[task] = state
    return states


async def check_all_there(directory: Path, acknowledged: dict[str, str]) -> None:
    async with open_store(directory) as store:
        known = {task.task_id: task for task in await store.tasks.recent(limit=1_000_000)}
        missing = acknowledged.keys() - known.keys()
        assert not missing
        for task_id, state in acknowledged.items():
            assert ORDER[known[task_id].status.value] >= ORDER[state]
        done = [task for task in known.values() if task.status is TaskStatus.DONE]
        for task in done:
            (picture,) = [await store.blobs.get(digest) for digest in task.pictures]
            assert picture == bytes.fromhex(task.task_id) * 1_000
        for task in known.values():
            for attempt in task.attempts:
                chunk = await store.draws.chunk_of_draw(attempt.seed_tip, attempt.draw_index)
                assert chunk.head == attempt.draw_head
                assert attempt.sequence <= await store.marks.highest(NodeId(1), attempt.miner_node)
        assert await store.ledger.total("owed") == len(done) * 10**18


async def test_kill_9__in_the_middle_of_writes__every_acknowledged_write_is_there(tmp_path):
    acknowledged: dict[str, str] = {}
    for round_number in range(3):
        child = start(tmp_path / "data")
        lines = [child.stdout.readline() for _ in range(400 + 250 * round_number)]
        child.kill()
        rest, errors = child.communicate(timeout=60)
        assert child.returncode == -9, errors
        acknowledged.update(furthest([*lines, *rest.splitlines()]))
        await check_all_there(tmp_path / "data", acknowledged)
    assert "done" in acknowledged.values()


async def test_disk_full__file_size_limit__stops_with_the_reason_and_keeps_what_was_acknowledged(tmp_path):
    child = start(tmp_path / "data", 2_000_000)
    output, errors = child.communicate(timeout=120)
    assert child.returncode == 1
    assert "fatal: commit to" in errors
    assert "free space" in errors
    acknowledged = furthest(output.splitlines())
    assert "done" in acknowledged.values()
    await check_all_there(tmp_path / "data", acknowledged)


async def test_open__another_process_has_it__refused_until_it_is_killed(tmp_path):
    child = start(tmp_path / "data")
    child.stdout.readline()
    with pytest.raises(ConfigError, match=f"process {child.pid} has it open"):
        async with open_store(tmp_path / "data"):
            pass
    child.kill()
    child.communicate(timeout=60)
    async with open_store(tmp_path / "data"):
        pass
