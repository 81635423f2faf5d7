from types import SimpleNamespace

import msgspec
import pytest

from cuckoo.domain.amounts import CAI, Wei
from cuckoo.domain.errors import ConfigError
from cuckoo.domain.identifiers import Role
from cuckoo.domain.node import Node
from cuckoo.roles import chain as chain_role
from cuckoo.roles.chain import require_node, why_not_eligible

NODE = Node(
    node_id=3,
    role=Role.MINER,
    owner="0x" + "11" * 20,
    operator="0x" + "22" * 20,
    weight_wei=Wei(20_000 * CAI),
    own_wei=Wei(20_000 * CAI),
    own_active_wei=Wei(20_000 * CAI),
    votes_wei=Wei(0),
    votes_active_wei=Wei(0),
    floor_wei=Wei(20_000 * CAI),
    commission_bps=0,
    max_commission_bps=0,
)


def changed(**fields):
    return msgspec.structs.replace(NODE, weight_wei=Wei(0), **fields)


def test_why_not_eligible__eligible__nothing():
    assert why_not_eligible(NODE, 0) == ""


@pytest.mark.parametrize(
    ("node", "said"),
    [
        (changed(own_active_wei=Wei(12_000 * CAI)), "cuckoo stake vote 3 8000"),
        (changed(jailed_until=2_000_000_000), "in jail until 2033-05-18"),
        (changed(jailed_until=1_000), "cuckoo stake unjail 3"),
        (changed(), "cuckoo stake poke 3"),
    ],
)
def test_why_not_eligible__no_weight__names_the_command(node, said):
    assert said in why_not_eligible(node, 1_900_000_000)


class Staking:
    answer = (0, 0)

    def __init__(self, client):
        pass

    async def operator_of(self, operator):
        return self.answer


@pytest.fixture
def chain(monkeypatch):
    monkeypatch.setattr(chain_role, "StakingContract", Staking)
    nodes = {3: NODE}
    clock = SimpleNamespace(now=lambda: 1_900_000_000.0)
    return SimpleNamespace(client=None, registry=SimpleNamespace(node=nodes.get, nodes=nodes), clock=clock)


@pytest.mark.parametrize(
    ("answer", "role", "said"),
    [
        ((0, 0), Role.MINER, "cuckoo stake register --role miner"),
        ((0, 0), Role.COORDINATOR, "2,000,000 CAI of its own"),
        ((3, 99), Role.MINER, "was replaced as operator of node 3"),
        ((3, 0), Role.COORDINATOR, "is the operator of miner node 3"),
        ((4, 0), Role.MINER, "not in the registry view"),
    ],
)
async def test_require_node__not_that_of_an_eligible_node__says_what_is_missing(chain, monkeypatch, answer, role, said):
    monkeypatch.setattr(Staking, "answer", answer)
    with pytest.raises(ConfigError, match=said):
        await require_node(chain, role, NODE.operator)


async def test_require_node__jailed__says_until_when(chain, monkeypatch):
    monkeypatch.setattr(Staking, "answer", (3, 0))
    assert await require_node(chain, Role.MINER, NODE.operator) == NODE
    chain.registry.nodes[3] = changed(jailed_until=2_000_000_000)
    with pytest.raises(ConfigError, match="in jail"):
        await require_node(chain, Role.MINER, NODE.operator)
