"""What coordinators claim: collected by coordinator, checked for sense, and never stalled by one of them."""

import json
import math

import pytest
from aiohttp import web
from hypothesis import given
from hypothesis import strategies as st

from cuckoo.client.app import AppClient
from cuckoo.domain.errors import InvalidField
from cuckoo.protocol.messages import encode_json
from cuckoo.protocol.views import MinerList
from cuckoo.runtime.clock import SystemClock
from cuckoo.services.staking import claims as module
from cuckoo.services.staking.claims import Claims
from cuckoo.storage.chronicle import Chronicle
from tests.support.claiming import CHAIN, Coordinators, view


@pytest.fixture
async def coordinators():
    found = Coordinators()
    yield found
    await found.close()


@pytest.fixture
def chronicle(tmp_path):
    found = Chronicle(tmp_path / "chronicle.sqlite")
    yield found
    found.close()


def collector(chronicle):
    return Claims(chronicle, AppClient, SystemClock(), CHAIN)


async def test_claims__of_two_coordinators__summed_and_each_visible(coordinators, chronicle):
    first = await coordinators.add(
        1,
        view(5, assigned=10, done=8, failed=1, lost=1, expected=9.5, variance=4.0, speed=2.0, device="H200"),
        view(6, assigned=1),
        view(7, assigned=0),
        view(8, assigned=3, done=3),
    )
    second = await coordinators.add(2, view(5, assigned=30, done=24, speed=4.0, audits_passed=7, device="an H200"))
    claims = collector(chronicle)
    await claims.look({1: first, 2: second})
    told = claims.of(5)
    assert (told.tasks_done, told.drawn, told.odds_sum, told.success_percent) == (32, 40, 9.5, "94.1")
    assert told.speed == pytest.approx((2 * 8 + 4 * 24) / 32)
    assert (told.device, told.audits_passed) == ("an H200", 7)
    assert [(one.coordinator, one.claims.tasks_done) for one in claims.by(5)] == [(1, 8), (2, 24)]
    assert claims.of(7) is None, "nothing is claimed about it"
    assert claims.of(8).tasks_done == 3, "on the second page"
    assert (claims.total("done"), claims.total("assigned")) == (35, 44)
    again = collector(chronicle)
    await again.start()
    assert again.of(5) == told
    await again.look({1: first})
    assert again.of(5).tasks_done == 8, "the other is registered no more"


async def test_claims__hostile_and_dead_coordinators__others_are_heard(coordinators, chronicle, monkeypatch):
    monkeypatch.setattr(module, "ANSWER_S", 2.0)

    async def slow(_):
        await coordinators.closing.wait()
        return web.Response()

    async def wrong(_):
        return web.Response(text='{"miners": [{"node_id": "x"}]}', content_type="application/json")

    async def elsewhere(_):
        raise web.HTTPFound("http://127.0.0.1:1/")

    async def endless(request):
        one = view(int(request.query["after"]) + 1)
        page = MinerList(miners=(one,), cursor=one.node_id)
        return web.Response(body=encode_json(page), content_type="application/json")

    asked = {
        1: await coordinators.add(1, view(5, done=1)),
        2: "http://127.0.0.1:9",
        3: await coordinators.add(3, answer=slow),
        4: await coordinators.add(4, answer=wrong),
        6: await coordinators.add(6, answer=elsewhere),
        7: await coordinators.add(99, view(5, done=1_000)),
        8: await coordinators.add(8, view(5, done=1_000), chain_id=1),
        9: "ftp://nowhere",
        10: await coordinators.add(10, view(5, done=10**16)),
        11: await coordinators.add(11, answer=endless),
    }
    claims = collector(chronicle)
    await claims.look(asked)
    assert claims.of(5).tasks_done == 1
    assert [one.coordinator for one in claims.by(5)] == [1, 11]


async def test_claims__a_coordinator_that_does_not_answer_any_more__is_remembered(coordinators, chronicle):
    address = await coordinators.add(1, view(5, done=4))
    claims = collector(chronicle)
    await claims.look({1: address})
    await coordinators.close()
    await claims.look({1: address})
    assert claims.of(5).tasks_done == 4


@given(
    name=st.sampled_from(module._COUNTS),
    value=st.sampled_from([math.inf, -math.inf, math.nan, -1, 1e300, 10**16]),
)
def test_claim__number_that_nobody_can_have__is_refused_by_name(name, value):
    with pytest.raises(InvalidField, match=name):
        module._claim(view(5, **{name: value}))


@given(device=st.text(max_size=300))
def test_claim__device__is_short_and_printable(device):
    claim = module._claim(view(5, device=device))
    assert len(claim.device) <= module.DEVICE_MAX
    assert claim.device.isprintable()
    assert json.dumps(claim.device)
