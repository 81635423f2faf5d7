"""What every role reads from the chain: one client and one registry view, shared by all roles of a process."""

from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from cuckoo.chain.contracts import StakingContract
from cuckoo.chain.rpc import ChainClient
from cuckoo.domain.amounts import format_cai
from cuckoo.domain.errors import ConfigError
from cuckoo.domain.identifiers import Address, NodeId, Role
from cuckoo.domain.network import Network
from cuckoo.domain.node import Node, minimum_own_stake
from cuckoo.runtime.clock import Clock, SystemClock
from cuckoo.runtime.service import Service
from cuckoo.services.follower import Follower

OPERATOR_S = 5.0
"""How often a role looks whether its key still runs its node."""


@dataclass(frozen=True)
class Chain:
    """A network, connected: the client, and the registry as the follower shows it."""

    client: ChainClient
    registry: Follower
    clock: Clock

    @property
    def network(self) -> Network:
        """The network that this is."""
        return self.client.network

    @property
    def services(self) -> Sequence[Service]:
        """What has to run so that the registry view stays current."""
        return [Service("registry", self.registry.run)]


@asynccontextmanager
async def open_chain(
    network: Network, rpc_urls: Sequence[str] = (), outbox: Path | None = None
) -> AsyncIterator[Chain]:
    """Connect to a network and read its registry.

    Args:
        network: which chain and contracts.
        rpc_urls: used instead of the network's own when given.
        outbox: records transactions before they are sent; None where none will be.

    Raises:
        ChainUnreachable: no endpoint answers.
        ConfigError: the endpoint serves another chain.
    """
    clock = SystemClock()
    async with await ChainClient.connect(network, rpc_urls, outbox) as client:
        registry = Follower(client, clock)
        await registry.start()
        yield Chain(client=client, registry=registry, clock=clock)


async def require_node(chain: Chain, role: Role, operator: Address) -> Node:
    """Return the eligible node of ``role`` that an operator key runs.

    Raises:
        ConfigError: there is none, or it is not eligible: says what is missing and which command mends it.
    """
    doing = f"run a {role.name.lower()}"
    node_id, replaced_at = await StakingContract(chain.client).operator_of(operator)
    if not node_id:
        minimum = minimum_own_stake(role)
        raise ConfigError(
            f"{doing}: {operator} is the operator of no registered node; with {format_cai(minimum)} CAI of its own "
            f"staked (cuckoo stake deposit {format_cai(minimum, grouped=False)}) its owner runs: "
            f"cuckoo stake register --role {role.name.lower()} --operator KEY"
        )
    if replaced_at:
        raise ConfigError(f"{doing}: {operator} was replaced as operator of node {node_id}: use its new key")
    node = chain.registry.node(node_id)
    if node is None:
        raise ConfigError(f"{doing}: node {node_id} is not in the registry view yet; is the RPC endpoint up to date?")
    if node.role is not role:
        raise ConfigError(
            f"{doing}: {operator} is the operator of {node.role.name.lower()} node {node_id}: "
            f"name a {role.name.lower()}'s key with --key, or run cuckoo {node.role.name.lower()}"
        )
    if problem := why_not_eligible(node, chain.clock.now()):
        raise ConfigError(f"{doing}: {problem}")
    return node


async def watch_operator(chain: Chain, node_id: NodeId, operator: Address) -> None:
    """Wait until another key runs a node: what this one signs counts no more.

    Raises:
        ConfigError: it was replaced; says which key is needed.
    """
    while True:
        node = chain.registry.node(node_id)
        if node is not None and node.operator != operator:
            raise ConfigError(
                f"run node {node_id}: {operator} was replaced as its operator by {node.operator}; start it with "
                "that key"
            )
        await chain.clock.sleep(OPERATOR_S)


def why_not_eligible(node: Node, now: float) -> str:
    """Say why a node carries no weight and what its owner can do, or "" when it is eligible."""
    if node.eligible:
        return ""
    missing = node.floor_wei - node.own_active_wei
    if missing > 0:
        return (
            f"node {node.node_id} has {format_cai(node.own_active_wei)} CAI of its own active stake, it needs "
            f"{format_cai(node.floor_wei)}: cuckoo stake vote {node.node_id} {format_cai(missing, grouped=False)}"
        )
    if node.jailed_until > now:
        until = datetime.fromtimestamp(node.jailed_until, UTC)
        return f"node {node.node_id} is in jail until {until:%Y-%m-%d %H:%M:%S} UTC"
    if node.jailed_until:
        return f"node {node.node_id} has served its time in jail: cuckoo stake unjail {node.node_id}"
    return f"node {node.node_id} carries no weight yet: cuckoo stake poke {node.node_id}"
