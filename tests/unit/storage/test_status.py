"""A role's report: read back as written, and never taken for alive once its process is gone."""

import os
import subprocess
import sys

from cuckoo.domain.status import Report, StakerState
from cuckoo.storage.lock import DirectoryLock, holder
from cuckoo.storage.status import FILE, read_reports, write_report

STATE = StakerState(
    address="0xabc",
    wallet="1",
    gas="2",
    idle="3",
    nodes=1,
    active="4",
    rewards="5",
    unbonding="6",
    releasable="0",
    warnings={},
)
REPORT = Report(network="devnet", pid=1, started_at=1.0, at=2.0, every_s=5.0, stopped=False, state=STATE)
HOLD = """
import os, sys, time
from pathlib import Path
from cuckoo.storage.lock import DirectoryLock
with DirectoryLock(Path(sys.argv[1])):
    print("held", flush=True)
    sys.stdin.read()
"""


def test_report__written_twice__the_last_is_read_with_its_holder(tmp_path):
    folder = tmp_path / "staker-1"
    folder.mkdir()
    write_report(folder, REPORT)
    write_report(folder, REPORT)
    (found,) = read_reports(tmp_path)
    assert (found.report, found.pid) == (REPORT, None)
    with DirectoryLock(folder):
        assert read_reports(tmp_path)[0].pid == os.getpid()
    assert read_reports(tmp_path)[0].pid is None


def test_holder__killed_with_9__is_gone(tmp_path):
    child = subprocess.Popen(
        [sys.executable, "-c", HOLD, str(tmp_path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
    )
    assert child.stdout.readline() == "held\n"
    assert holder(tmp_path) == child.pid
    child.kill()
    child.communicate()
    assert (tmp_path / "lock").read_text().strip() == str(child.pid), "the file still names it"
    assert holder(tmp_path) is None
    with DirectoryLock(tmp_path):
        assert holder(tmp_path) == os.getpid()


def test_reports__torn_or_of_another_version__are_left_out(tmp_path):
    for name, content in (("a", b'{"half'), ("b", b"{}")):
        (tmp_path / name).mkdir()
        (tmp_path / name / FILE).write_bytes(content)
    assert read_reports(tmp_path) == []
    assert read_reports(tmp_path / "nothing") == []
