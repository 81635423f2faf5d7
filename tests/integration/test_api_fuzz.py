"""Requests made from our own description, valid and spoiled, in chains: none may meet a server error.

``CUCKOO_FUZZ_MINUTES`` says for how long; one minute where it is not set.
"""

import asyncio
import os
import time

import msgspec
import pytest
import schemathesis
from hypothesis import HealthCheck, Phase, settings
from schemathesis.checks import not_a_server_error

from cuckoo.domain.settings import CoordinatorSettings
from tests.support.coordinating import running

MINUTES = float(os.environ.get("CUCKOO_FUZZ_MINUTES", "1"))
APART = ("/readyz", "/v1/tasks/{task}/events")
"""503 is the answer of the first while something is missing; the second goes on for as long as a task is open."""


@schemathesis.serializer("application/msgpack")
def packed(_context, value):
    """Pack what was made from the schema of a binary body."""
    try:
        return value if isinstance(value, bytes) else msgspec.msgpack.encode(value)
    except OverflowError:  # msgpack has no integers of more than 64 bits
        return msgspec.json.encode(value)


def fuzz(origin, until):
    """Run chains of requests until a moment of the monotonic clock; return how many requests were answered."""
    schema = schemathesis.openapi.from_url(f"{origin}/openapi.json").exclude(path=list(APART))
    answered = 0

    class Chain(schema.as_state_machine()):
        def validate_response(self, response, case, **_):
            nonlocal answered
            answered += 1
            case.validate_response(response, checks=[not_a_server_error])

    once = settings(
        max_examples=1,
        stateful_step_count=6,
        deadline=None,
        database=None,
        phases=(Phase.generate,),
        suppress_health_check=list(HealthCheck),
    )
    while time.monotonic() < until:
        Chain.run(settings=once)
    return answered


@pytest.mark.timeout(MINUTES * 60 + 180)
async def test_api__requests_made_from_its_description__no_server_error(tmp_path):
    async with running(tmp_path, settings=CoordinatorSettings(port=0, long_poll_s=0.05)) as coordinator:
        answered = await asyncio.to_thread(fuzz, coordinator.origin, time.monotonic() + MINUTES * 60)
    assert answered > 10
