"""Only what may pass is tried again, and the waits are bounded."""

import pytest

from cuckoo.domain.errors import ChainUnreachable, ConfigError
from cuckoo.runtime.retry import backoff_s, retry


class _Clock:
    def __init__(self):
        self.waits = []

    def now(self):
        return 0.0

    def monotonic(self):
        return sum(self.waits)

    async def sleep(self, seconds):
        self.waits.append(seconds)


async def test_retry__fails_twice__third_answer_is_returned():
    clock, calls = _Clock(), []

    async def call():
        calls.append(1)
        if len(calls) < 3:
            raise ChainUnreachable("no")
        return "yes"

    assert await retry(call, clock=clock, tries=5) == "yes"
    assert len(clock.waits) == 2
    assert clock.waits[1] > clock.waits[0] / 2


async def test_retry__never_works__last_error_rises_without_a_further_wait():
    clock = _Clock()

    async def call():
        raise ChainUnreachable("no")

    with pytest.raises(ChainUnreachable):
        await retry(call, clock=clock, tries=3)
    assert len(clock.waits) == 2


async def test_retry__other_fault__is_not_tried_again():
    clock = _Clock()

    async def call():
        raise ConfigError("fix it")

    with pytest.raises(ConfigError):
        await retry(call, clock=clock, tries=3)
    assert clock.waits == []


def test_backoff__grows_to_its_cap():
    waits = [backoff_s(attempt, draw=lambda: 1.0) for attempt in range(40)]
    assert waits == sorted(waits)
    assert waits[0] == 0.25
    assert waits[-1] == 30.0
