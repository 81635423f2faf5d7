"""What the portal reads, over HTTP and from a real chain; hostile introductions; who may open it how."""

import asyncio
import json
import secrets
from dataclasses import dataclass

import aiohttp
import pytest
import pytest_asyncio
from aiohttp import web

from cuckoo.chain.devnet import running_devnet
from cuckoo.chain.rpc import ChainClient
from cuckoo.client.app import AppClient
from cuckoo.domain.amounts import CAI, parse_cai
from cuckoo.domain.errors import ConfigError
from cuckoo.domain.identifiers import Role
from cuckoo.domain.node import Introduction
from cuckoo.domain.settings import StakerSettings
from cuckoo.protocol.signing import Signer
from cuckoo.roles.chain import Chain
from cuckoo.roles.staker import open_staker
from cuckoo.runtime.clock import SystemClock
from cuckoo.services.follower import Follower
from cuckoo.services.staking.claims import Claims
from cuckoo.services.staking.history import DAY_S, History
from cuckoo.services.staking.registration import NewNode, Registration
from cuckoo.services.staking.shelf import NodeShelf
from cuckoo.storage.chronicle import Chronicle
from cuckoo.web import portal_events
from cuckoo.web.portal import portal_app

HOSTILE = Introduction(
    name="<img src=x onerror=alert(1)>",
    text="\u202eevil \U0001f426" * 20,
    url="javascript:alert(1)",
    links=("data:text/html,<script>alert(1)</script>", "https://example.org"),
)


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def network(tmp_path_factory):
    """A chain whose time may run ahead without anybody else's on it."""
    async with running_devnet(0, tmp_path_factory.mktemp("portal") / "network.json") as devnet:
        yield devnet.network


@pytest.fixture
async def client(network, tmp_path):
    async with await ChainClient.connect(network, (), tmp_path / "outbox.sqlite") as found:
        yield found


@dataclass
class View:
    """What the portal shows, brought up to date by hand."""

    follower: Follower
    history: History

    async def advance(self):
        await self.follower.advance()
        await self.history.advance()


@pytest.fixture
async def portal(chain, client):
    """Serve the portal without a key; gives (get, view)."""
    follower = Follower(client, SystemClock())
    await follower.start()
    chronicle = Chronicle(None)
    history = History(client, chronicle)
    await history.advance()
    shelf = NodeShelf(client, follower, history, Claims(chronicle, AppClient, SystemClock(), 31_337))
    runner = web.AppRunner(portal_app(client, shelf, history, None))
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    async with aiohttp.ClientSession(f"http://127.0.0.1:{runner.addresses[0][1]}") as session:

        async def get(path, status=200, **query):
            async with session.get(path, params=query) as answer:
                assert answer.status == status, await answer.text()
                return await answer.json() if answer.content_type == "application/json" else await answer.text()

        yield get, View(follower, history)
    await runner.cleanup()


async def miner(chain, name, **words):
    owner = await chain.person(cai=100_000)
    await owner.deposit(80_000 * CAI)
    introduction = Introduction(name=name, **words) if words or name else HOSTILE
    new = NewNode(role=Role.MINER, introduction=introduction, amount=20_000 * CAI, commission_bps=1_000)
    operator = Signer(secrets.token_bytes(32))
    return owner, (await Registration(chain.client, owner.sender).register(new, operator)).node_id


async def test_session__without_a_key__wallets_sign_and_rules_are_told(portal, network):
    get, _ = portal
    told = await get("/api/session")
    assert (told["chain_id"], told["signing"], told["address"], told["csrf"]) == (31_337, "wallet", None, None)
    assert told["contracts"]["staking"] == network.staking
    assert told["parameters"]["unbonding_s"] == str(network.parameters.unbonding)
    assert "<!doctype html>" in (await get("/")).lower()


async def test_nodes__sorted_searched_paged__as_the_chain_has_them(portal, chain):
    get, view = portal
    tag = secrets.token_hex(4)
    first_owner, first = await miner(chain, f"Wren {tag}", location="Seoul")
    _, second = await miner(chain, f"Robin {tag}")
    voter = await chain.person(cai=50_000)
    await voter.deposit(40_000 * CAI)
    await voter.vote(second, 30_000 * CAI)
    await view.advance()
    page = await get("/api/nodes", search=tag)
    assert [row["node_id"] for row in page["nodes"]] == [second, first]
    row = page["nodes"][0]
    assert (row["own_cai"], row["votes_cai"], row["weight_cai"]) == ("20000", "30000", "50000")
    assert (row["commission_percent"], row["max_commission_percent"]) == ("10", "20")
    assert float(row["yield_percent"]) > 0
    assert page["at"]["block"] == view.follower.block.number
    by_name = await get("/api/nodes", search=f"{tag} SEOUL", sort="name", order="asc")
    assert [row["node_id"] for row in by_name["nodes"]] == [first]
    one = await get("/api/nodes", search=tag, sort="id", order="asc", offset=1, limit=1)
    assert (one["total"], [row["node_id"] for row in one["nodes"]]) == (2, [second])
    await Registration(chain.client, first_owner.sender).set_commission(first, 1_400)
    await view.advance()
    (row,) = (await get("/api/nodes", search=f"Wren {tag}"))["nodes"]
    assert row["commission_rising"]["to_percent"] == "14"
    assert (await get("/api/nodes", 422, sort="beauty"))["field"] == "sort"
    assert (await get("/api/nodes", 422, limit=1_000))["field"] == "limit"


async def test_node__hostile_words__come_through_as_text_and_history_is_told(portal, chain):
    get, view = portal
    _, node = await miner(chain, "")
    await view.advance()
    told = await get(f"/api/nodes/{node}")
    assert told["introduction"]["name"] == HOSTILE.name
    assert told["links"] == list(HOSTILE.links)
    assert [event["kind"] for event in told["events"]][-1] == "Registered"
    assert told["events"][-1]["numbers"]["amount"] == "20000"
    assert (await get("/api/nodes/99999999", 404))["code"] == "not_found"


async def test_overview__a_voter__everything_it_has_with_warnings(portal, chain):
    get, view = portal
    owner, node = await miner(chain, "Wren")
    voter = await chain.person(cai=50_000)
    await voter.deposit(40_000 * CAI)
    await voter.vote(node, 30_000 * CAI)
    await chain.pass_time(600)
    await voter.unvote(node, 1_000 * CAI)
    await Registration(chain.client, owner.sender).set_commission(node, 1_400)
    await view.advance()
    told = await get("/api/overview", address=voter.address.lower())
    (stake,) = told["stakes"]
    assert (told["idle_cai"], stake["active_cai"], stake["tranche"]) == ("10000", "29000", "votes")
    assert float(told["rewards_cai"]) > 0
    assert float(stake["yearly_percent"]) > 0
    assert "commission_rising" in stake["warnings"]
    (out,) = told["unbonding"]
    assert (out["amount_cai"], out["free"]) == ("1000", False)
    mine = await get("/api/overview", address=owner.address)
    assert mine["owned"] == [node]
    assert (await get("/api/overview", 422, address="0x1"))["field"] == "address"


async def test_stats__by_role__as_the_contract_has_them(portal):
    get, view = portal
    told = await get("/api/stats")
    assert told["nodes"]["miner"] == len(view.follower.miners())
    assert float(told["emission_per_day_cai"]["miner"]) > 0
    assert len(told["paid_cai_by_day"]) == 30


async def test_reorganisation__a_node_that_never_was__is_gone_from_the_list(portal, chain):
    get, view = portal
    snapshot = await chain.client.web3.provider.make_request("evm_snapshot", [])
    tag = secrets.token_hex(4)
    await miner(chain, f"Ghost {tag}")
    await view.advance()
    (ghost,) = (await get("/api/nodes", search=tag))["nodes"]
    assert await view.history.events_of(ghost["node_id"])
    await chain.client.web3.provider.make_request("evm_revert", [snapshot["result"]])
    await chain.client.web3.provider.make_request("anvil_mine", ["0x40"])
    await view.advance()
    assert (await get("/api/nodes", search=tag))["total"] == 0
    assert await view.history.events_of(ghost["node_id"]) == []


async def test_rewards__of_days__add_up_to_what_was_paid_and_is_owed(portal, chain):
    get, view = portal
    owner, node = await miner(chain, "Wren")
    voter = await chain.person(cai=50_000)
    await voter.deposit(40_000 * CAI)
    await voter.vote(node, 20_000 * CAI)
    await chain.pass_time(2 * DAY_S)
    await voter.claim(node)
    await chain.pass_time(DAY_S)
    await Registration(chain.client, owner.sender).poke(node)
    await view.advance()
    told = await get("/api/rewards", address=voter.address)
    (claim,) = told["claims"]
    earned = sum(parse_cai(one["amount_cai"]) for one in told["earned"])
    assert earned == parse_cai(told["earned_cai"])
    assert abs(earned - parse_cai(claim["amount_cai"]) - parse_cai(told["claimable_cai"])) < CAI // 10**6
    days = [one["date"] for one in told["earned"]]
    assert days == sorted(days, reverse=True)
    assert len(set(days)) == 4
    assert {(one["node_id"], one["source"]) for one in told["earned"]} == {(node, "emission")}
    (projected,) = told["projected"]
    whole_day = told["earned"][1]
    assert float(projected["emission_cai"]) == pytest.approx(float(whole_day["amount_cai"]), rel=1e-6)
    lines = (await get("/api/rewards.csv", address=voter.address)).splitlines()
    assert lines[0] == "date,node,source,cai"
    assert sum(parse_cai(line.split(",")[3]) for line in lines[1:]) == earned
    mine = await get("/api/rewards", address=owner.address)
    assert {one["source"] for one in mine["earned"]} == {"emission", "commission"}
    assert (await get("/api/rewards", 422, address=owner.address, days=0))["field"] == "days"


async def test_node_history__by_day__stake_commission_and_income(portal, chain):
    get, view = portal
    owner, node = await miner(chain, "Wren")
    await chain.pass_time(DAY_S)
    await Registration(chain.client, owner.sender).set_commission(node, 500)
    voter = await chain.person(cai=50_000)
    await voter.deposit(40_000 * CAI)
    await voter.vote(node, 30_000 * CAI)
    await chain.pass_time(DAY_S)
    await Registration(chain.client, owner.sender).poke(node)
    await view.advance()
    days = (await get(f"/api/nodes/{node}/history", days=7))["days"]
    assert [(day["votes_cai"], day["commission_percent"]) for day in days] == [
        ("0", "10"),
        ("30000", "5"),
        ("30000", "5"),
    ]
    assert {day["own_cai"] for day in days} == {"20000"}
    assert all(float(day["emission_cai"]) > 0 for day in days)
    assert (await get("/api/nodes/99999999/history", 404))["code"] == "not_found"


@pytest.mark.parametrize(
    ("settings", "key", "says"),
    [
        (StakerSettings(host="0.0.0.0", port=0), True, "for this machine only"),
        (StakerSettings(portal=False), False, "there is nothing to do"),
    ],
)
async def test_role__as_it_can_not_be__says_so(chain, client, tmp_path, settings, key, says):
    follower = Follower(client, SystemClock())
    await follower.start()
    opened = Chain(client=client, registry=follower, clock=SystemClock())
    with pytest.raises(ConfigError, match=says):
        async with open_staker(opened, secrets.token_bytes(32) if key else None, tmp_path, settings):
            pass


def test_words__of_this_test__are_an_introduction_that_the_chain_takes():
    assert len(json.dumps(HOSTILE.text).encode()) < 1_024


async def test_events__a_listener__hears_of_each_block_and_is_let_go_when_the_server_ends(portal, chain, client):
    _, view = portal
    app = portal_app(client, None, view.history, None)
    runner = web.AppRunner(app, shutdown_timeout=60)
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    address = f"http://127.0.0.1:{runner.addresses[0][1]}"
    async with aiohttp.ClientSession(address) as session, session.get("/api/events") as stream:
        assert await stream.content.readline() == b": news follow\n"
        _, node = await miner(chain, "Wren")
        await view.advance()
        lines = [await stream.content.readline() for _ in range(2)]
        told = json.loads(lines[1].removeprefix(b"data: "))
        assert [node, "Registered"] in told["happened"]
        async with asyncio.timeout(10):
            await runner.cleanup()
        assert b"data" not in await stream.content.read()


async def test_events__too_many_listeners__are_told_to_come_later(portal, chain, client, monkeypatch):
    monkeypatch.setattr(portal_events, "LISTENERS_MAX", 1)
    _, view = portal
    runner = web.AppRunner(portal_app(client, None, view.history, None))
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    address = f"http://127.0.0.1:{runner.addresses[0][1]}"
    async with aiohttp.ClientSession(address) as session, session.get("/api/events") as stream:
        await stream.content.readline()
        async with session.get("/api/events") as second:
            assert (second.status, (await second.json())["code"]) == (503, "overloaded")
    await runner.cleanup()
