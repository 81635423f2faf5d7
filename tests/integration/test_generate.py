"""``cuckoo generate`` as a user types it, against a coordinator that serves and a miner that draws."""

import asyncio
import contextlib
import json
import os
import signal
import sys

import pytest

from cuckoo.cli.inline import Protocol, escape, protocol_of
from cuckoo.protocol.png import receipt_in
from tests.support.coordinating import running
from tests.support.working import working


@pytest.fixture
async def coordinator(tmp_path):
    async with running(tmp_path / "coordinator") as coordinator:
        yield coordinator


class Terminal:
    """A user's folder and data."""

    def __init__(self, folder, coordinator):
        self.folder = folder
        self.environment = os.environ | {
            "CUCKOO_DATA_DIR": str(folder / "data"),
            "CUCKOO_COORDINATOR": coordinator.origin,
            "PYTHONUNBUFFERED": "1",
        }

    async def start(self, *arguments, given=""):
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            "-m",
            "cuckoo",
            "generate",
            *arguments,
            cwd=self.folder,
            env=self.environment,
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
        )
        process.stdin.write(given.encode())
        process.stdin.close()
        return process

    async def run(self, *arguments, given=""):
        process = await self.start(*arguments, given=given)
        out, err = await process.communicate()
        return process.returncode, out.decode(), err.decode()

    def files(self):
        return sorted(path.name for path in self.folder.glob("*.png"))

    def orders(self):
        return list((self.folder / "data" / "orders").glob("*"))


@pytest.fixture
def terminal(tmp_path, coordinator):
    folder = tmp_path / "terminal"
    folder.mkdir()
    return Terminal(folder, coordinator)


async def until(condition):
    async with asyncio.timeout(30):
        while not condition():  # noqa: ASYNC110 - another process brings it about
            await asyncio.sleep(0.01)


async def test_generate__name_taken__the_next_number_is_written_with_the_receipt_inside(coordinator, terminal):
    (terminal.folder / "apple.png").write_bytes(b"mine")
    async with working(coordinator):
        code, out, err = await terminal.run("a red apple", "-o", "apple.png", "--receipt", "apple.json", "--seed", "7")
    assert (code, out) == (0, "apple-2.png\n"), err
    assert (terminal.folder / "apple.png").read_bytes() == b"mine"
    inside = receipt_in((terminal.folder / "apple-2.png").read_bytes())
    assert (
        inside.assignment.task_id == json.loads((terminal.folder / "apple.json").read_bytes())["assignment"]["task_id"]
    )
    assert "seed 7" in err
    assert terminal.orders() == []


async def test_generate__prompts_from_standard_input__a_picture_each_in_their_order(coordinator, terminal):
    async with working(coordinator):
        code, out, err = await terminal.run("--prompts", "-", "-o", "sheet.png", "--json", given="a pear\n\n a fig \n")
    assert code == 0, err
    tasks = json.loads(out)["tasks"]
    assert [(task["prompt"], task["pictures"]) for task in tasks] == [
        ("a pear", ["sheet-1.png"]),
        ("a fig", ["sheet-2.png"]),
    ]
    assert terminal.files() == ["sheet-1.png", "sheet-2.png"]


async def test_generate__ctrl_c__tasks_go_on_and_resume_gets_their_pictures(coordinator, terminal):
    tasks = coordinator.dispatch.engine.tasks
    process = await terminal.start("--prompts", "-", "-o", "sheet.png", given="a pear\na fig")
    await until(lambda: len(list(coordinator.dispatch.engine.watchers)) == 2)
    process.send_signal(signal.SIGINT)
    _, err = await process.communicate()
    assert process.returncode == 130
    assert "cuckoo generate --resume" in err.decode()
    assert tasks.queued == 2
    assert len(terminal.orders()) == 1
    async with working(coordinator):
        code, out, err = await terminal.run("--resume")
    assert (code, out) == (0, "sheet-1.png\nsheet-2.png\n"), err
    assert terminal.orders() == []
    code, out, err = await terminal.run("--resume")
    assert (code, out) == (0, "")
    assert "nothing is left" in err


async def test_generate__killed_before_the_answer_came__resume_makes_no_second_task(coordinator, terminal):
    process = await terminal.start("a pear")
    await until(lambda: list(coordinator.dispatch.engine.watchers))
    process.kill()
    await process.communicate()
    (file,) = terminal.orders()
    file.write_text(json.dumps(json.loads(file.read_text()) | {"tasks": []}))
    async with working(coordinator):
        code, out, err = await terminal.run("--resume")
    assert (code, out) == (0, "picture.png\n"), err
    assert len(await coordinator.store.tasks.recent(limit=9)) == 1


async def test_generate__ctrl_c_twice__the_tasks_are_cancelled(coordinator, terminal):
    tasks = coordinator.dispatch.engine.tasks
    process = await terminal.start("a pear")
    await until(lambda: list(coordinator.dispatch.engine.watchers))
    process.send_signal(signal.SIGINT)
    said = b""
    while b"--resume" not in said:
        said += await process.stderr.readline()
    process.send_signal(signal.SIGINT)
    _, err = await process.communicate()
    assert (process.returncode, b"cancelled" in err) == (130, True)
    assert len(tasks) == 0
    assert terminal.orders() == []


async def test_generate__one_task_fails__the_others_are_saved_and_nothing_is_left_open(coordinator, terminal):
    async with working(coordinator, fails_at="a fig"):
        code, out, err = await terminal.run("--prompts", "-", given="a pear\na fig\na plum")
    assert (code, out) == (1, "picture-1.png\npicture-3.png\n")
    assert "no room" in err
    assert "Traceback" not in err
    assert terminal.orders() == []


@pytest.mark.parametrize(
    ("arguments", "given", "says"),
    [
        ((), "", "Give one of"),
        (("a pear", "--resume"), "", "not PROMPT and --resume"),
        (("--prompts", "-"), "\n", "1 to 100"),
        (("--prompts", "-"), "a pear\n" * 101, "it has 101"),
        (("--prompts", "nowhere.txt"), "", "nowhere.txt"),
        (("a pear", "-o", "nowhere/x.png"), "", "there is no folder"),
        (("a pear", "--width", "63"), "", "width_px"),
    ],
)
async def test_generate__what_can_not_be__is_refused_and_leaves_nothing(terminal, arguments, given, says):
    code, out, err = await terminal.run(*arguments, given=given)
    assert code != 0
    assert out == ""
    assert says in err
    assert terminal.orders() == []


@pytest.mark.parametrize(
    ("environ", "protocol"),
    [
        ({"TERM": "xterm-kitty"}, Protocol.KITTY),
        ({"TERM": "xterm-256color", "TERM_PROGRAM": "ghostty"}, Protocol.KITTY),
        ({"TERM_PROGRAM": "iTerm.app"}, Protocol.ITERM),
        ({"TERM_PROGRAM": "WezTerm"}, Protocol.ITERM),
        ({"TERM": "xterm-kitty", "TMUX": "/tmp/tmux"}, None),
        ({"TERM": "screen-256color", "LC_TERMINAL": "iTerm2"}, None),
        ({"TERM": "xterm-256color"}, None),
        ({}, None),
    ],
)
def test_terminal__by_its_environment__shows_pictures_or_not(environ, protocol):
    assert protocol_of(environ) is protocol


def test_escape__large_picture_for_kitty__comes_in_chunks_of_which_only_the_last_says_so():
    parts = escape(Protocol.KITTY, bytes(10_000)).split("\x1b\\")[:-1]
    assert len(parts) == 4
    assert [part[:3] for part in parts] == ["\x1b_G"] * 4
    assert ["m=1" in part.split(";")[0] for part in parts] == [True, True, True, False]
    assert all(len(part.split(";")[1]) <= 4_096 for part in parts)


async def test_generate__in_a_terminal_that_shows_pictures__previews_and_picture_are_shown_unless_told_not_to(
    coordinator, terminal
):
    pty = pytest.importorskip("pty")
    shown = {}
    for flags in ((), ("--no-preview",)):
        inner, outer = pty.openpty()
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            "-m",
            "cuckoo",
            "generate",
            "a pear",
            *flags,
            cwd=terminal.folder,
            env=terminal.environment | {"TERM": "xterm-kitty"},
            stdin=asyncio.subprocess.DEVNULL,
            stdout=asyncio.subprocess.PIPE,
            stderr=outer,
        )
        os.close(outer)
        await until(lambda: list(coordinator.dispatch.engine.watchers))
        async with working(coordinator):
            shown[flags] = await asyncio.to_thread(drain, inner)
        assert await process.wait() == 0
    assert shown[()].count(b"\x1b_Ga=T") == 2
    assert b"\x1b_G" not in shown["--no-preview",]
    assert b"odds 100%" in shown[()]


def drain(descriptor):
    """Read a terminal until nobody writes to it any more."""
    seen = b""
    with contextlib.suppress(OSError):
        while more := os.read(descriptor, 65_536):
            seen += more
    os.close(descriptor)
    return seen
