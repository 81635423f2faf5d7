"""What the portal reads, over HTTP and from a real chain; hostile introductions; who may open it how."""

import json
import secrets

import aiohttp
import pytest
from aiohttp import web

from cuckoo.chain.rpc import ChainClient
from cuckoo.domain.amounts import CAI
from cuckoo.domain.errors import ConfigError
from cuckoo.domain.identifiers import Role
from cuckoo.domain.node import Introduction
from cuckoo.domain.settings import StakerSettings
from cuckoo.protocol.signing import Signer
from cuckoo.roles.chain import Chain
from cuckoo.roles.staker import open_staker
from cuckoo.runtime.clock import SystemClock
from cuckoo.services.follower import Follower
from cuckoo.services.staking.registration import NewNode, Registration
from cuckoo.services.staking.shelf import NodeShelf
from cuckoo.web.portal import portal_app

HOSTILE = Introduction(
    name="<img src=x onerror=alert(1)>",
    text="\u202eevil \U0001f426" * 20,
    url="javascript:alert(1)",
    links=("data:text/html,<script>alert(1)</script>", "https://example.org"),
)


@pytest.fixture
async def client(network, tmp_path):
    async with await ChainClient.connect(network, (), tmp_path / "outbox.sqlite") as found:
        yield found


@pytest.fixture
async def portal(chain, client):
    """Serve the portal without a key; gives (get, follower)."""
    follower = Follower(client, SystemClock())
    await follower.start()
    shelf = NodeShelf(client, follower)
    await shelf.start()
    runner = web.AppRunner(portal_app(client, shelf, None))
    await runner.setup()
    await web.TCPSite(runner, "127.0.0.1", 0).start()
    async with aiohttp.ClientSession(f"http://127.0.0.1:{runner.addresses[0][1]}") as session:

        async def get(path, status=200, **query):
            async with session.get(path, params=query) as answer:
                assert answer.status == status, await answer.text()
                return await answer.json() if answer.content_type == "application/json" else await answer.text()

        yield get, follower
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
    get, follower = portal
    tag = secrets.token_hex(4)
    first_owner, first = await miner(chain, f"Wren {tag}", location="Seoul")
    _, second = await miner(chain, f"Robin {tag}")
    voter = await chain.person(cai=50_000)
    await voter.deposit(40_000 * CAI)
    await voter.vote(second, 30_000 * CAI)
    await follower.advance()
    page = await get("/api/nodes", search=tag)
    assert [row["node_id"] for row in page["nodes"]] == [second, first]
    row = page["nodes"][0]
    assert (row["own_cai"], row["votes_cai"], row["weight_cai"]) == ("20000", "30000", "50000")
    assert (row["commission_percent"], row["max_commission_percent"]) == ("10", "20")
    assert float(row["yield_percent"]) > 0
    assert page["at"]["block"] == follower.block.number
    by_name = await get("/api/nodes", search=f"{tag} SEOUL", sort="name", order="asc")
    assert [row["node_id"] for row in by_name["nodes"]] == [first]
    one = await get("/api/nodes", search=tag, sort="id", order="asc", offset=1, limit=1)
    assert (one["total"], [row["node_id"] for row in one["nodes"]]) == (2, [second])
    await Registration(chain.client, first_owner.sender).set_commission(first, 1_400)
    await follower.advance()
    (row,) = (await get("/api/nodes", search=f"Wren {tag}"))["nodes"]
    assert row["commission_rising"]["to_percent"] == "14"
    assert (await get("/api/nodes", 422, sort="beauty"))["field"] == "sort"
    assert (await get("/api/nodes", 422, limit=1_000))["field"] == "limit"


async def test_node__hostile_words__come_through_as_text_and_history_is_told(portal, chain):
    get, follower = portal
    _, node = await miner(chain, "")
    await follower.advance()
    view = await get(f"/api/nodes/{node}")
    assert view["introduction"]["name"] == HOSTILE.name
    assert view["links"] == list(HOSTILE.links)
    assert [event["kind"] for event in view["events"]][-1] == "Registered"
    assert view["events"][-1]["numbers"]["amount"] == "20000"
    assert (await get("/api/nodes/99999999", 404))["code"] == "not_found"


async def test_overview__a_voter__everything_it_has_with_warnings(portal, chain):
    get, follower = portal
    owner, node = await miner(chain, "Wren")
    voter = await chain.person(cai=50_000)
    await voter.deposit(40_000 * CAI)
    await voter.vote(node, 30_000 * CAI)
    await chain.pass_time(600)
    await voter.unvote(node, 1_000 * CAI)
    await Registration(chain.client, owner.sender).set_commission(node, 1_400)
    await follower.advance()
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
    get, follower = portal
    told = await get("/api/stats")
    assert told["nodes"]["miner"] == len(follower.miners())
    assert float(told["emission_per_day_cai"]["miner"]) > 0


async def test_reorganisation__a_node_that_never_was__is_gone_from_the_list(portal, chain):
    get, follower = portal
    snapshot = await chain.client.web3.provider.make_request("evm_snapshot", [])
    tag = secrets.token_hex(4)
    await miner(chain, f"Ghost {tag}")
    await follower.advance()
    assert (await get("/api/nodes", search=tag))["total"] == 1
    await chain.client.web3.provider.make_request("evm_revert", [snapshot["result"]])
    await chain.client.web3.provider.make_request("anvil_mine", ["0x40"])
    await follower.advance()
    assert (await get("/api/nodes", search=tag))["total"] == 0


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
