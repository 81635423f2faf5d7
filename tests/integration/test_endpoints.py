"""Several RPC endpoints, some of which hang, lie, lag behind or refuse, in front of a real chain."""

import asyncio

import pytest

from cuckoo.chain import endpoints
from cuckoo.chain.contracts import TokenContract
from cuckoo.chain.events import StakingEvents
from cuckoo.chain.rpc import ChainClient
from cuckoo.domain.errors import ChainUnreachable, ConfigError
from cuckoo.runtime.clock import SystemClock
from cuckoo.services.follower import Follower
from tests.support.endpoints import Hanging, Lagging, Lying, Proxy, Refusing

DEAD = "http://127.0.0.1:9"


@pytest.fixture(autouse=True)
def impatient(monkeypatch):
    """Give up soon, and look at all endpoints before every call."""
    monkeypatch.setattr(endpoints, "LOOK_TIMEOUT_S", 0.3)
    monkeypatch.setattr(endpoints, "REQUEST_TIMEOUT_S", 0.6)
    monkeypatch.setattr(endpoints, "LOOK_EVERY_S", 0.0)


async def test_connect__first_endpoint_hangs__second_one_serves(network):
    async with (
        Hanging(network.rpc_urls[0]).running() as hanging,
        await ChainClient.connect(network, [hanging.url, *network.rpc_urls]) as client,
    ):
        for _ in range(5):
            assert (await client.block()).number > 0
    assert len(hanging.asked) == 2, "an endpoint that hung is left alone for a while"


async def test_run__endpoint_begins_to_hang__next_one_takes_over_within_the_time(network, monkeypatch):
    monkeypatch.setattr(endpoints, "LOOK_EVERY_S", 60.0)
    async with Hanging(network.rpc_urls[0]).running() as hanging:
        hanging.hangs = False
        async with await ChainClient.connect(network, [hanging.url, *network.rpc_urls]) as client:
            hanging.hangs = True
            async with asyncio.timeout(5):
                assert (await client.block()).number > 0


async def test_run__only_endpoint_hangs__is_unreachable(network):
    async with Hanging(network.rpc_urls[0]).running() as hanging:
        with pytest.raises(ChainUnreachable, match="TimeoutError"):
            await ChainClient.connect(network, [hanging.url])


async def test_connect__first_endpoint_lies_about_its_chain__is_asked_for_nothing_else(network):
    async with (
        Lying(network.rpc_urls[0]).running() as lying,
        await ChainClient.connect(network, [lying.url, *network.rpc_urls]) as client,
    ):
        await client.block()
    assert {method for method, _ in lying.asked} == {"eth_chainId", "eth_blockNumber"}


async def test_connect__all_that_answer_lie_but_one_is_dead__may_pass(network):
    async with Lying(network.rpc_urls[0]).running() as lying:
        with pytest.raises(ConfigError, match="serves chain 1"):
            await ChainClient.connect(network, [lying.url])
        with pytest.raises(ChainUnreachable, match="serves chain 1"):
            await ChainClient.connect(network, [lying.url, DEAD])


async def test_run__endpoint_comes_to_serve_another_chain__is_left(network):
    async with Lying(network.rpc_urls[0]).running() as changing, Proxy(network.rpc_urls[0]).running() as honest:
        answer, changing.answer = changing.answer, changing.pass_on
        async with await ChainClient.connect(network, [changing.url, honest.url]) as client:
            await client.block()
            assert honest.count("eth_getBlockByNumber") == 0
            changing.answer = answer
            await client.block()
            assert honest.count("eth_getBlockByNumber") == 1


async def test_run__endpoint_stands_still__one_that_is_up_to_date_takes_over(chain, network):
    async with (
        Lagging(network.rpc_urls[0]).running() as lagging,
        await ChainClient.connect(network, [lagging.url, *network.rpc_urls]) as client,
    ):
        lagging.at = (await client.block()).number
        for _ in range(endpoints.LAG_BLOCKS + 1):
            await chain.pass_time(1)
        assert (await client.block()).number > lagging.at


async def test_run__fail_over_to_one_that_lags__skips_it(chain, network):
    """What was seen once is still there afterwards: balances do not jump back."""
    async with Hanging(network.rpc_urls[0]).running() as first, Lagging(network.rpc_urls[0]).running() as lagging:
        first.hangs = False
        async with await ChainClient.connect(network, [first.url, lagging.url, *network.rpc_urls]) as client:
            lagging.at = (await client.block()).number
            person = await chain.person()
            await chain.pass_time(1)
            newest = (await client.block()).number
            first.hangs = True
            assert await TokenContract(client).balance(person.address) > 0
            assert (await client.block()).number >= newest


async def test_run__all_others_lag__the_newest_of_them_is_better_than_none(chain, network):
    async with Hanging(network.rpc_urls[0]).running() as first, Lagging(network.rpc_urls[0]).running() as lagging:
        first.hangs = False
        async with await ChainClient.connect(network, [first.url, lagging.url]) as client:
            lagging.at = (await client.block()).number
            await chain.pass_time(1)
            await client.block()
            first.hangs = True
            assert (await client.block()).number == lagging.at


async def test_run__preferred_endpoint_is_back__is_used_again(network, monkeypatch):
    monkeypatch.setattr(endpoints, "REST_S", 0.0)
    async with (
        Hanging(network.rpc_urls[0]).running() as first,
        Proxy(network.rpc_urls[0]).running() as second,
        await ChainClient.connect(network, [first.url, second.url]) as client,
    ):
        first.hangs = False
        await client.block()
        assert first.count("eth_getBlockByNumber") == 1


async def test_logs__endpoint_lacks_the_last_block__is_an_error_and_not_silence(network):
    async with await ChainClient.connect(network) as client:
        latest = await client.block()
        with pytest.raises(ChainUnreachable, match="the newest block is"):
            await client.logs([network.staking], 0, latest.number + 1_000_000)


async def test_logs__range_refused__is_halved_until_it_is_taken(chain, network):
    await chain.person(cai=1)
    async with (
        Refusing(network.rpc_urls[0]).running() as refusing,
        await ChainClient.connect(network, [refusing.url]) as client,
    ):
        latest = (await client.block()).number
        first = max(0, latest - 40)
        found = await client.logs([network.token], first, latest)
        assert found
        assert found == await chain.client.logs([network.token], first, latest)
        asked = [parameters[0] for method, parameters in refusing.asked if method == "eth_getLogs"]
        spans = [(int(wanted["fromBlock"], 16), int(wanted["toBlock"], 16)) for wanted in asked]
    taken = [(low, high) for low, high in spans if high - low < refusing.most]
    assert [low for low, _ in taken] == [first, *(high + 1 for _, high in taken[:-1])]
    assert taken[-1][1] == latest


async def test_follower__one_of_two_endpoints_stands_still__view_goes_on_and_nothing_is_rolled_back(chain, network):
    async with (
        Lagging(network.rpc_urls[0]).running() as lagging,
        await ChainClient.connect(network, [lagging.url, *network.rpc_urls]) as client,
    ):
        follower = Follower(client, SystemClock())
        await follower.start()
        lagging.at = follower.block.number
        person = await chain.person(cai=1)
        await person.deposit(1)
        await chain.pass_time(1)
        await chain.pass_time(1)
        await chain.pass_time(1)
        await follower.advance()
        assert follower.block.number > lagging.at
        assert follower.rollbacks == 0
        assert await StakingEvents(client).read(lagging.at + 1, follower.block.number)
