"""A backup of a coordinator at work, restored: tasks go on, pictures are there, nothing is signed twice."""

import asyncio
import stat
import tarfile

import pytest

from cuckoo.domain.amounts import CAI, Wei
from cuckoo.domain.errors import ConfigError
from cuckoo.domain.pricing import Rates
from cuckoo.domain.task import TaskStatus
from cuckoo.protocol.messages import TaskRequest
from cuckoo.storage.backup import backup, restore
from tests.support.coordinating import Escrow, ScriptedMiner, app, running

APPLE = TaskRequest(prompt="a red apple", seed=7)
RATES = Rates(Wei(100 * CAI))


async def done(coordinator, miner):
    """Have the miner draw a picture; returns its assignment and the voucher."""
    async with app(coordinator) as client:
        await client.submit(APPLE)
    assignment = (await miner.poll()).assignment
    return assignment, (await miner.submit(assignment, miner.result(assignment))).voucher


async def test_restore__backup_taken_at_work__goes_on_behind_what_miners_remember(tmp_path):
    file = tmp_path / "backup.tar"
    async with running(tmp_path / "coordinator-1", rates=RATES, escrow=Escrow()) as coordinator:
        miner = ScriptedMiner(coordinator)
        await miner.sign_in()
        first, _ = await done(coordinator, miner)
        async with app(coordinator) as client:
            waiting = await client.submit(TaskRequest(prompt="a pear", seed=8))
            before = await client.picture(first.task_id, 0)
        made = await asyncio.to_thread(backup, tmp_path / "coordinator-1", file)
        open_then = (await miner.poll()).assignment
        await miner.submit(open_then, miner.result(open_then))
        last, voucher = await done(coordinator, miner)  # after the backup
        await miner.client.close()
    assert made.folder == "coordinator-1"
    assert stat.S_IMODE(file.stat().st_mode) == 0o600

    restored = tmp_path / "elsewhere" / "coordinator-1"
    assert restore(file, restored) == made
    async with running(restored, rates=RATES, escrow=Escrow()) as coordinator:
        miner = ScriptedMiner(coordinator)
        miner.last_sequence = last.sequence
        session = await miner.sign_in(voucher=voucher)
        assert session.voucher.voucher == voucher.voucher, "it owes what its miner can prove"
        async with app(coordinator) as client:
            assert await client.picture(first.task_id, 0) == before
            assert (await client.get(waiting.task_id)).status is TaskStatus.QUEUED
        again = (await miner.poll()).assignment
        assert again.task_id == waiting.task_id
        assert again.sequence > last.sequence
        reply = await miner.submit(again, miner.result(again))
        assert reply.voucher.voucher.cumulative > voucher.voucher.cumulative
        await miner.client.close()


def test_backup__nothing_there_or_file_exists__is_refused(tmp_path):
    with pytest.raises(ConfigError, match=r"there is no cuckoo\.sqlite"):
        backup(tmp_path, tmp_path / "b.tar")


async def test_restore__over_something_or_of_nonsense__changes_nothing(tmp_path):
    async with running(tmp_path / "coordinator-1"):
        backup(tmp_path / "coordinator-1", tmp_path / "b.tar")
        with pytest.raises(ConfigError, match="is there already"):
            backup(tmp_path / "coordinator-1", tmp_path / "b.tar")
    with pytest.raises(ConfigError, match="is not empty"):
        restore(tmp_path / "b.tar", tmp_path / "coordinator-1")
    whole = (tmp_path / "b.tar").read_bytes()
    (tmp_path / "cut.tar").write_bytes(whole[: len(whole) // 2])
    with pytest.raises(ConfigError, match="restore"):
        restore(tmp_path / "cut.tar", tmp_path / "fresh")
    with tarfile.open(tmp_path / "evil.tar", "w") as tar:
        tar.add(tmp_path / "cut.tar", "../outside")
    with pytest.raises(ConfigError, match="restore"):
        restore(tmp_path / "evil.tar", tmp_path / "fresh")
    assert not (tmp_path / "fresh").exists()
    assert not (tmp_path / "outside").exists()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["b.tar", "coordinator-1", "cut.tar", "evil.tar"]
