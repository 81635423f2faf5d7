"""``cuckoo stake rewards`` and ``cuckoo stake node``: the numbers of the portal, on the command line."""

import asyncio
import json
import secrets

import pytest
import pytest_asyncio
from click.testing import CliRunner

from cuckoo.chain.deployment import write_network
from cuckoo.chain.devnet import running_devnet
from cuckoo.cli.main import cli
from cuckoo.domain.amounts import CAI, parse_cai
from cuckoo.domain.identifiers import Role
from cuckoo.domain.node import Introduction
from cuckoo.protocol.signing import Signer
from cuckoo.services.staking.history import DAY_S
from cuckoo.services.staking.registration import NewNode, Registration


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def network(tmp_path_factory):
    """A chain whose time may run ahead without anybody else's on it."""
    async with running_devnet(0, tmp_path_factory.mktemp("past") / "network.json") as devnet:
        yield devnet.network


@pytest.fixture
async def run(chain, network, tmp_path):
    write_network(network, tmp_path / "network.json")
    place = ["--network", str(tmp_path / "network.json"), "--data-dir", str(tmp_path)]

    async def run(*arguments):
        found = await asyncio.to_thread(CliRunner().invoke, cli, ["stake", *arguments, *place])
        assert found.exit_code == 0, found.output
        return found.stdout

    return run


async def test_rewards_and_node__as_the_portal_has_them(chain, run):
    owner, voter = await chain.person(cai=50_000), await chain.person(cai=50_000)
    await owner.deposit(40_000 * CAI)
    new = NewNode(
        role=Role.MINER, introduction=Introduction(name="Wren\x1b[31m", location="Seoul"), amount=20_000 * CAI
    )
    registered = await Registration(chain.client, owner.sender).register(new, Signer(secrets.token_bytes(32)))
    await voter.deposit(40_000 * CAI)
    await voter.vote(registered.node_id, 30_000 * CAI)
    await chain.pass_time(2 * DAY_S)
    await voter.claim()

    told = json.loads(await run("rewards", voter.address, "--days", "7", "--json"))
    assert parse_cai(told["earned_cai"]) == sum(parse_cai(one["amount_cai"]) for one in told["earned"])
    assert len(told["claims"]) == 1
    csv = (await run("rewards", voter.address, "--csv")).split()
    assert csv[0] == "date,node,source,cai"
    assert {line.split(",")[2] for line in csv[1:]} == {"emission"}
    text = await run("rewards", owner.address)
    assert "commission" in text
    assert "expected a day" in text

    node = str(registered.node_id)
    shown = json.loads(await run("node", node, "--json"))
    assert shown["node"]["votes_cai"] == "30000"
    assert [day["votes_cai"] for day in shown["days"]] == ["30000"] * 3
    text = await run("node", node)
    assert "votes       30,000 CAI" in text
    assert "Registered" in text
    assert "\x1b" not in text


async def test_network__as_json_and_for_people__says_the_same(run):
    told = json.loads(await run("network", "--json"))
    assert set(told["nodes"]) == {"miner", "coordinator"}
    assert len(told["paid_cai_by_day"]) == 30
    text = await run("network")
    assert "emission a day" in text
    assert f"{told['nodes']['miner']}" in text


async def test_rewards__nobody__says_nothing_and_csv_and_json_exclude_each_other(chain, run):
    nobody = (await chain.person()).address
    assert json.loads(await run("rewards", nobody, "--json"))["earned"] == []
    with pytest.raises(AssertionError, match="not both"):
        await run("rewards", nobody, "--csv", "--json")
