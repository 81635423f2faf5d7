"""A whole network in processes of its own, shared by the tests of a module: each leaves it whole."""

import pytest
import pytest_asyncio

from tests.support.processes import Town


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def town(tmp_path_factory):
    town = Town(tmp_path_factory.mktemp("town"))
    try:
        await town.found(miners=2)
        yield town
    finally:
        town.stop()


@pytest.fixture(autouse=True)
def _logs(request):
    """Show the end of every process's log when a test fails."""
    yield
    report = getattr(request.node, "outcome", None)
    if report is not None and report.failed and "town" in request.fixturenames:
        town = request.getfixturevalue("town")
        for name, process in town.processes.items():
            lines = process.log.read_text(errors="replace").splitlines()[-40:]
            print(f"--- {name} ---", *lines, sep="\n")


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport(item, call):
    report = yield
    if call.when == "call":
        item.outcome = report
    return report
