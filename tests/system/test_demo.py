"""The one-command network, as a user starts and stops it."""

import json
import os
import signal
import subprocess
import sys
from contextlib import suppress
from pathlib import Path

import pytest

from cuckoo.domain.amounts import parse_cai
from tests.support.processes import until


def start(folder, *flags, stdout):
    environment = {name: value for name, value in os.environ.items() if not name.startswith("CUCKOO_")}
    with (folder / "said").open("wb") as said:
        return subprocess.Popen(
            [sys.executable, "-m", "cuckoo", "demo", "--out", str(folder / "pictures"), *flags],
            stdin=subprocess.DEVNULL,
            stdout=said if stdout is None else stdout,
            stderr=said,
            env=environment | {"TMPDIR": str(folder)},
            start_new_session=True,
        )


def family(folder):
    """Return the command lines of the demo in ``folder`` and all that it started: they inherit its environment."""
    mark = f"TMPDIR={folder}".encode()
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        with suppress(OSError):  # it ended meanwhile
            if mark in (process / "environ").read_bytes().split(b"\0"):
                found.append((process / "cmdline").read_bytes().replace(b"\0", b" ").decode())
    return found


@pytest.mark.timeout(400)
def test_demo__to_the_end__pictures_a_sheet_and_a_table_that_adds_up(tmp_path):
    process = start(tmp_path, "--json", stdout=subprocess.PIPE)
    answer, _ = process.communicate(timeout=340)
    assert process.returncode == 0, said_in(tmp_path)
    told = json.loads(answer)
    assert told["tasks"] >= 40
    assert len(told["pictures"]) == told["tasks"]
    assert all(Path(picture).read_bytes().startswith(b"\x89PNG") for picture in (*told["pictures"], told["sheet"]))
    assert sum(miner["done"] for miner in told["miners"]) == told["tasks"]
    assert sum(miner["expected"] for miner in told["miners"]) == pytest.approx(told["tasks"])
    assert len({miner["stake"] for miner in told["miners"]}) == 3
    owners = sum(parse_cai(person["pictures"]) for person in told["earned"])
    assert owners + parse_cai(told["stakers"]) == parse_cai(told["paid"]) > 0, "to the wei"
    assert all(parse_cai(person["stake"]) for person in told["earned"]), "all who staked earned"
    trial = told["trial"]
    assert trial["guilty"] > trial["seats"] / 2
    assert trial["difference"] > 0
    assert parse_cai(trial["lost"]) > parse_cai(trial["burned"]) > 0
    assert Path(trial["sheet"]).read_bytes().startswith(b"\x89PNG")
    assert not family(tmp_path)


def others_started(folder):
    return len(family(folder)) > 1


def chain_is_up(folder):
    return "contracts deployed" in said_in(folder)


def miners_draw(folder):
    return "drawn" in said_in(folder)


def said_in(folder):
    return (folder / "said").read_text()


@pytest.mark.parametrize("moment", [others_started, chain_is_up, miners_draw])
async def test_demo__interrupted__leaves_no_process(tmp_path, moment):
    process = start(tmp_path, stdout=None)

    async def reached():
        assert process.poll() is None, said_in(tmp_path)
        return moment(tmp_path)

    await until(reached, what=moment.__name__)
    os.killpg(process.pid, signal.SIGINT)  # as a terminal does: to the whole foreground group
    assert process.wait(60) == 130, said_in(tmp_path)
    assert "Traceback" not in said_in(tmp_path)

    async def alone():
        return not family(tmp_path)

    await until(alone, 20, what="the demo's processes to end")
