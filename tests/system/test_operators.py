"""docs/operators.md, command by command, and the commands of docs/apps.md against what it has built."""

import json
import os
import re
import subprocess
import sys
import urllib.request
from pathlib import Path

import pytest

from tests.support.processes import ENVIRONMENT, free_port, until

ROOT = Path(__file__).resolve().parents[2]
BOX = re.compile(r"^```sh *([\w ]*)\n(.*?)^```$", re.MULTILINE | re.DOTALL)
ROLES = ("devnet", "coordinator", "miner")


class Terminal:
    """A shell with the product on its path, in a folder of its own."""

    def __init__(self, folder):
        self.folder = folder
        self.port = free_port()
        path = f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}"
        own = {
            "CUCKOO_DATA_DIR": str(folder / "data"),
            "CUCKOO_PASSWORD": "a password",
            "CUCKOO_LOG_LEVEL": "debug",
            "CUCKOO_COORDINATOR": f"http://127.0.0.1:{self.port}",
            "CUCKOO_COORDINATOR_PORT": str(self.port),
            "PATH": path,
        }
        self.environment = os.environ | ENVIRONMENT | own
        self.running = {}

    def _here(self, text):
        """Put free ports in the place of the usual ones."""
        return text.replace("127.0.0.1:8080", f"127.0.0.1:{self.port}").replace(
            "cuckoo devnet\n", "cuckoo devnet --port 0\n"
        )

    def run(self, text):
        done = subprocess.run(
            ["bash", "-euo", "pipefail", "-c", self._here(text)],
            cwd=self.folder,
            env=self.environment,
            capture_output=True,
            text=True,
            timeout=240,
            check=False,
        )
        assert done.returncode == 0, f"{text}\n{done.stdout}\n{done.stderr}"
        return done.stdout

    def _spawn(self, name, text):
        command = ["bash", "-c", f"exec {self._here(text).strip()}"]
        with (self.folder / f"{name}.log").open("a") as log:
            self.running[name] = subprocess.Popen(
                command, cwd=self.folder, env=self.environment, stdout=log, stderr=log
            )

    async def start(self, name, text):
        self._spawn(name, text)

        async def up():
            assert self.running[name].poll() is None, (self.folder / f"{name}.log").read_text()[-3_000:]
            return self._is_up(name)

        await until(up, what=f"{name} to be up")

    def _is_up(self, name):
        if name == "devnet":
            return (self.folder / "data" / "networks" / "devnet.json").exists()
        try:
            with urllib.request.urlopen(f"http://127.0.0.1:{self.port}/readyz", timeout=5) as answer:
                ready = answer.status == 200
            with urllib.request.urlopen(f"http://127.0.0.1:{self.port}/v1/network", timeout=5) as answer:
                miners = json.load(answer)["miners"]
        except OSError:
            return False
        return ready and (name == "coordinator" or miners > 0)

    def stop(self, name):
        process = self.running.pop(name)
        process.terminate()
        assert process.wait(60) == 0


@pytest.fixture
def terminal(tmp_path):
    terminal = Terminal(tmp_path)
    try:
        yield terminal
    finally:
        for process in reversed(list(terminal.running.values())):
            process.kill()
            process.wait()


def boxes(name):
    """Return (words behind ```sh, text) of every box of shell commands in a document."""
    return BOX.findall((ROOT / "docs" / name).read_text(encoding="utf-8"))


async def test_operators__every_command_in_order__works(terminal):
    for words, text in boxes("operators.md"):
        if words in ROLES:
            await terminal.start(words, text)
            continue
        for name in words.removeprefix("stop").split():
            terminal.stop(name)
        terminal.run(text)
    for _, text in boxes("apps.md"):
        terminal.run(text)
    assert {"apple.png", "heart.png", "monday.tar", "shop.key", "green.png"} <= {
        file.name for file in terminal.folder.iterdir()
    }
    about = [json.loads(line) for line in (terminal.folder / "miner.log").read_text().splitlines() if '"task"' in line]
    task = about[-1]["task"]
    told = [
        json.loads(line)["event"]
        for line in (terminal.folder / "coordinator.log").read_text().splitlines()
        if task in line
    ]
    assert told == ["task taken in", "attempt given out", "result taken", "task over"]
