"""Reports are written while a role runs, once more at its end, and never stop the role."""

import asyncio

import structlog

from cuckoo.domain.errors import ChainUnreachable
from cuckoo.services.reporting import Reporting
from cuckoo.storage.status import read_reports
from tests.support.mining import Clock
from tests.unit.storage.test_status import STATE


async def test_reporting__runs_and_stops__writes_at_each_interval_and_the_last_word(tmp_path):
    clock, folder = Clock(), tmp_path / "staker-1"
    folder.mkdir()
    answers = [ChainUnreachable("not yet"), STATE, ChainUnreachable("gone")]

    async def read():
        answer = answers.pop(0) if len(answers) > 1 else answers[0]
        if isinstance(answer, Exception):
            raise answer
        return answer

    started = clock.now()
    reporting = Reporting(folder, "devnet", read, clock=clock)
    running = asyncio.create_task(reporting.run())
    await clock.pass_(0)
    assert read_reports(tmp_path) == [], "nothing is known yet"
    for seconds in (5, 10):
        await clock.pass_(5)
        report = read_reports(tmp_path)[0].report
        assert (report.state, report.at, report.stopped) == (STATE, started + seconds, False)
    running.cancel()
    await asyncio.gather(running, return_exceptions=True)
    assert read_reports(tmp_path)[0].report.stopped


async def test_reporting__disk_refuses__says_so_once_and_goes_on(tmp_path):
    async def read():
        return STATE

    reporting = Reporting(tmp_path / "missing", "devnet", read, clock=Clock())
    with structlog.testing.capture_logs() as logs:
        await reporting.report()
        await reporting.report()
    assert len(logs) == 1
    (tmp_path / "missing").mkdir()
    await reporting.report()
    assert len(read_reports(tmp_path)) == 1
