"""Requests made from our own description, valid and spoiled, in chains: none may meet a server error.

``CUCKOO_FUZZ_MINUTES`` says for how long; one minute where it is not set.
"""

import asyncio
import collections
import os
import time

import msgspec
import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis.strategies import randoms
from schemathesis.checks import not_a_server_error
from schemathesis.core.failures import FailureGroup

from cuckoo.domain.settings import CoordinatorSettings
from cuckoo.services.dispatch.catalogue import Catalogue
from tests.support.coordinating import ScriptedMiner, running

EXAMPLES = 10
SHORT = CoordinatorSettings(port=0, long_poll_s=0.05)
MINUTES = float(os.environ.get("CUCKOO_FUZZ_MINUTES", "1"))
APART = ("/readyz", "/v1/tasks/{task}/events", "/v1/images/generations", "/sdapi/v1/txt2img")
"""503 is the answer of the first while something is missing; the others go on for as long as a task is open."""


@schemathesis.serializer("application/msgpack")
def packed(_context, value):
    """Pack what was made from the schema of a binary body."""
    try:
        return value if isinstance(value, bytes) else msgspec.msgpack.encode(value)
    except OverflowError:  # msgpack has no integers of more than 64 bits
        return msgspec.json.encode(value)


def fuzz(origin, until, token):
    """Make requests of every operation, in turn, until a moment of the monotonic clock.

    What is made from the description alone meets closed doors: tasks that nobody has, miners that are not signed in. So
    half of the requests name a task that was taken, and half of a miner's show the token of a session.

    Returns:
        How many answers of which status each operation gave.
    """
    schema = schemathesis.openapi.from_url(f"{origin}/openapi.json").exclude(path=list(APART))
    operations = [operation.ok() for operation in schema.get_all_operations()]
    answered = {operation.label: collections.Counter() for operation in operations}
    tasks = []

    def ask(case, dice):
        if "task" in (case.path_parameters or {}) and tasks and dice.random() < 0.5:
            case.path_parameters["task"] = dice.choice(tasks)
        signed_in = case.path.startswith("/miner/") and case.method != "DELETE"  # that would end the session
        headers = {"Authorization": f"Bearer {token}"} if signed_in and dice.random() < 0.5 else {}
        response = case.call(headers=headers)
        answered[case.operation.label][response.status_code] += 1
        case.validate_response(response, checks=[not_a_server_error])
        if case.operation.label == "POST /v1/tasks" and response.status_code in (200, 201):
            tasks.append(response.json()["task_id"])

    while time.monotonic() < until:
        for operation in operations:
            once = settings(
                max_examples=EXAMPLES,
                deadline=None,
                database=None,
                phases=(Phase.generate,),
                suppress_health_check=list(HealthCheck),
            )
            once(given(operation.as_strategy(), randoms(use_true_random=True))(ask))()
    return answered


def show(answered):
    """Print how many answers of which status each operation gave."""
    statuses = sorted({status for counts in answered.values() for status in counts})
    print(f"\n{'operation':<55}" + "".join(f"{status:>8}" for status in statuses))
    for label, counts in sorted(answered.items()):
        print(f"{label:<55}" + "".join(f"{counts[status] or '':>8}" for status in statuses))
    print(f"{sum(map(sum, (counts.values() for counts in answered.values()))):,} requests, no server error")


@pytest.mark.timeout(MINUTES * 60 + 300)
async def test_api__requests_made_from_its_description__no_server_error(tmp_path):
    async with running(tmp_path, settings=SHORT, audits={"probability": 0.5}) as coordinator:
        answered = await asyncio.to_thread(fuzz, *await begun(coordinator, MINUTES * 60))
    show(answered)
    assert all(answered.values())
    taken = {status for statuses in answered.values() for status in statuses}
    assert {200, 201, 404, 422} <= taken, "it gets past the doors, too"


async def test_api__a_planted_fault__is_found(tmp_path, monkeypatch):
    def broken(*_):
        raise RuntimeError("planted")

    monkeypatch.setattr(Catalogue, "views", broken)
    async with running(tmp_path, settings=SHORT, audits={"probability": 0.5}) as coordinator:
        with pytest.raises(FailureGroup, match="1 distinct failure"):
            await asyncio.to_thread(fuzz, *await begun(coordinator, 60))


async def begun(coordinator, seconds):
    """Sign a miner in; returns what ``fuzz`` takes."""
    miner = ScriptedMiner(coordinator)
    await miner.sign_in()
    await miner.client.close()
    return coordinator.origin, time.monotonic() + seconds, miner.token
