import asyncio
import errno
import os
import sqlite3
import threading

import pytest

from cuckoo.domain.errors import ConfigError, Conflict, FatalError, Overloaded
from cuckoo.storage.writer import DATABASE_NAME, Reader, Writer, together


@pytest.fixture
async def writer(directory):
    async with Writer(directory) as opened:
        await opened.execute(lambda connection: connection.execute("CREATE TABLE notes (text TEXT NOT NULL)") and None)
        yield opened


def note(text):
    return lambda connection: connection.execute("INSERT INTO notes VALUES (?)", (text,)).lastrowid


def read_notes(connection):
    return [text for (text,) in connection.execute("SELECT text FROM notes ORDER BY rowid")]


def refuse(connection):
    connection.execute("INSERT INTO notes VALUES ('half done')")
    raise Conflict("refused on purpose")


class Gate:
    """A command that holds the writer's thread until it is opened, so that what is submitted meanwhile is one batch."""

    def __init__(self):
        self.entered = threading.Event()
        self.open = threading.Event()

    def __call__(self, connection):
        self.entered.set()
        assert self.open.wait(30)

    async def close_on(self, writer):
        held = writer.submit(self)
        await asyncio.to_thread(self.entered.wait, 30)
        return held


async def test_execute__command__result_after_commit(writer, directory):
    assert await writer.execute(note("a")) == 1
    with sqlite3.connect(directory / DATABASE_NAME) as other:
        assert read_notes(other) == ["a"]


async def test_submit__many_at_once__one_commit(writer):
    gate = Gate()
    await gate.close_on(writer)
    commits = []
    writer.before_commit(lambda: commits.append(threading.current_thread().name))
    waiting = [writer.submit(note(str(number))) for number in range(200)]
    gate.open.set()
    await asyncio.gather(*waiting)
    assert len(commits) == 2  # the gate's own, and one for all 200
    assert set(commits) == {"store-writer"}


async def test_submit__more_than_a_batch__several_commits(directory):
    async with Writer(directory, batch_max=10) as writer:
        gate = Gate()
        await gate.close_on(writer)
        commits = []
        writer.before_commit(lambda: commits.append(1))
        waiting = [writer.submit(lambda connection: None) for _ in range(25)]
        gate.open.set()
        await asyncio.gather(*waiting)
    assert len(commits) == 1 + 3


def thread_of(connection):
    return threading.current_thread().name


async def test_submit__quick_commands__run_on_the_loop_and_are_committed_on_the_thread(writer):
    commits = []
    writer.before_commit(lambda: commits.append(threading.current_thread().name))
    waiting = [writer.submit(thread_of, quick=True) for _ in range(3)]
    assert await asyncio.gather(*waiting) == [threading.current_thread().name] * 3
    assert commits == ["store-writer"]


async def test_submit__one_of_a_batch_takes_long__all_run_on_the_thread(writer):
    waiting = [writer.submit(thread_of, quick=quick) for quick in (True, False, True)]
    assert await asyncio.gather(*waiting) == ["store-writer"] * 3


async def test_submit__while_a_commit_is_under_way__order_is_kept(writer):
    gate = Gate()
    await gate.close_on(writer)
    waiting = [writer.submit(note(str(number)), quick=number % 3 > 0) for number in range(20)]
    gate.open.set()
    await asyncio.gather(*waiting)
    assert await writer.execute(read_notes) == [str(number) for number in range(20)]


@pytest.mark.parametrize("quick", [False, True])
async def test_submit__failing_command_in_a_batch__only_that_one_fails(writer, quick):
    gate = Gate()
    await gate.close_on(writer)
    results = [writer.submit(command, quick=quick) for command in (note("before"), refuse, note("after"))]
    gate.open.set()
    before, refused, after = await asyncio.gather(*results, return_exceptions=True)
    assert isinstance(refused, Conflict)
    assert not isinstance(before, Exception)
    assert not isinstance(after, Exception)
    assert await writer.execute(read_notes) == ["before", "after"]


async def test_submit__constraint_broken__only_that_one_fails(writer):
    with pytest.raises(sqlite3.IntegrityError):
        await writer.execute(note(None))
    assert await writer.execute(note("next")) == 1


async def test_together__one_fails__none_happened(writer):
    with pytest.raises(Conflict):
        await writer.execute(together(note("a"), refuse, note("b")))
    assert await writer.execute(read_notes) == []


async def test_together__all_pass__results_in_order(writer):
    assert await writer.execute(together(note("a"), note("b"), read_notes)) == (1, 2, ["a", "b"])


@pytest.mark.parametrize("quick", [False, True])
async def test_commit__disk_full_on_sync__all_fail_and_nothing_is_acknowledged(writer, directory, quick):
    gate = Gate()
    held = await gate.close_on(writer)

    def full():
        raise OSError(errno.ENOSPC, "No space left on device")

    writer.before_commit(full)
    waiting = [writer.submit(note("lost"), quick=quick) for _ in range(3)]
    gate.open.set()
    results = await asyncio.gather(held, *waiting, return_exceptions=True)
    assert [type(result) for result in results] == [FatalError] * 4
    assert "No space left on device" in str(results[0])
    with pytest.raises(FatalError, match="No space left"):
        writer.submit(note("later"))
    with pytest.raises(FatalError, match="start again"):
        await writer.watch()
    with sqlite3.connect(directory / DATABASE_NAME) as other:
        assert read_notes(other) == []


async def test_commit__database_full__writer_stops(writer):
    await writer.execute(note("kept"))
    pages = await writer.execute(lambda connection: connection.execute("PRAGMA page_count").fetchone()[0])
    await writer.execute(lambda connection: connection.execute(f"PRAGMA max_page_count = {pages}").fetchone())
    with pytest.raises(FatalError, match="full"):
        await writer.execute(note("x" * 100_000))
    with pytest.raises(FatalError):
        await writer.execute(note("small"))


async def test_commit__database_full_in_a_quick_command__writer_stops(writer):
    await writer.execute(note("kept"))
    pages = await writer.execute(lambda connection: connection.execute("PRAGMA page_count").fetchone()[0])
    await writer.execute(lambda connection: connection.execute(f"PRAGMA max_page_count = {pages}").fetchone())
    waiting = [writer.submit(note(text), quick=True) for text in ("small", "x" * 100_000)]
    results = await asyncio.gather(*waiting, return_exceptions=True)
    assert [type(result) for result in results] == [FatalError, FatalError]
    with pytest.raises(FatalError):
        await writer.execute(note("small"))


async def test_commit__command_ends_the_transaction__whole_batch_fails(writer):
    def meddle(connection):
        connection.execute("ROLLBACK")
        raise Conflict("after ending the transaction")

    gate = Gate()
    await gate.close_on(writer)
    waiting = [writer.submit(note("a")), writer.submit(meddle)]
    gate.open.set()
    results = await asyncio.gather(*waiting, return_exceptions=True)
    assert [type(result) for result in results] == [FatalError, FatalError]


async def test_submit__queue_full__overloaded(directory):
    async with Writer(directory, queue_max=2) as writer:
        gate = Gate()
        await gate.close_on(writer)
        waiting = [writer.submit(lambda connection: None) for _ in range(2)]
        with pytest.raises(Overloaded) as refused:
            writer.submit(lambda connection: None)
        assert refused.value.retry_after_s > 0
        gate.open.set()
        await asyncio.gather(*waiting)


async def test_submit__caller_gave_up__others_are_served(writer):
    gate = Gate()
    await gate.close_on(writer)
    gone, stays = writer.submit(note("gone")), writer.submit(note("stays"))
    gone.cancel()
    gate.open.set()
    assert await stays == 2


@pytest.mark.parametrize("quick", [False, True])
async def test_close__commands_wait__they_are_committed_first(directory, quick):
    async with Writer(directory) as writer:
        gate = Gate()
        await gate.close_on(writer)
        made = writer.submit(lambda connection: connection.execute("CREATE TABLE made (x)") and None, quick=quick)
        gate.open.set()
    assert made.done()
    assert made.exception() is None
    with pytest.raises(FatalError, match="closed"):
        writer.submit(lambda connection: None)


async def test_close__right_after_a_quick_command__it_is_committed_first(directory):
    async with Writer(directory) as writer:
        made = writer.submit(lambda connection: connection.execute("CREATE TABLE made (x)") and None, quick=True)
    assert await made is None
    with sqlite3.connect(directory / DATABASE_NAME) as other:
        assert other.execute("SELECT name FROM sqlite_master WHERE name = 'made'").fetchone()


async def test_open__directory_in_use__refused_with_pid(writer, directory):
    with pytest.raises(ConfigError, match=f"process {os.getpid()} has it open"):
        async with Writer(directory):
            pass


async def test_open__after_close__works_again(directory):
    for _ in range(2):
        async with Writer(directory):
            pass


async def test_open__database_of_a_newer_program__refused(directory):
    async with Writer(directory):
        pass
    with sqlite3.connect(directory / DATABASE_NAME) as other:
        version = other.execute("PRAGMA user_version").fetchone()[0]
        other.execute("PRAGMA user_version = 9999")
    with pytest.raises(ConfigError, match=r"version 9999.*install the newer"):
        async with Writer(directory):
            pass
    with sqlite3.connect(directory / DATABASE_NAME) as other:
        other.execute(f"PRAGMA user_version = {version}")
    async with Writer(directory):  # the refusal released the lock
        pass


async def test_open__durability_settings__full(writer):
    settings = await writer.execute(
        lambda connection: [
            connection.execute(f"PRAGMA {name}").fetchone()[0]
            for name in ("journal_mode", "synchronous", "foreign_keys")
        ]
    )
    assert settings == ["wal", 2, 1]


async def test_reader__after_commit__sees_it(writer, directory):
    async with Reader(directory) as reader:
        assert await reader.execute(read_notes) == []
        await writer.execute(note("a"))
        assert await reader.execute(read_notes) == ["a"]


async def test_reader__write__refused(writer, directory):
    async with Reader(directory) as reader:
        with pytest.raises(sqlite3.OperationalError, match="readonly"):
            await reader.execute(note("a"))
        assert await reader.execute(read_notes) == []
