"""Events of the Staking contract as frozen structs."""

from collections.abc import Sequence
from typing import Any

import msgspec
from web3.types import LogReceipt

from cuckoo.chain.abi import EventKind
from cuckoo.chain.artifact import load_artifact
from cuckoo.chain.rpc import ChainClient, on_chain
from cuckoo.domain.identifiers import Address, NodeId

_NODES_OF_A_SEARCH = 200
_ABOUT_NODES = (
    "Registered",
    "IntroductionChanged",
    "OperatorRotated",
    "OwnerTransferred",
    "PayeeChanged",
    "CommissionAnnounced",
    "CommissionChanged",
    "Voted",
    "Unvoted",
    "Revoted",
    "Released",
    "Unjailed",
    "FeesAdded",
    "Slashed",
    "Penalised",
)
"""Events whose first indexed field is the node."""


class Event(msgspec.Struct, frozen=True, kw_only=True):
    """One event. ``name`` and ``arguments`` as the ABI names them; ``block_hash`` tells a reorganisation."""

    name: str
    arguments: dict[str, Any]
    block_number: int
    block_hash: bytes
    transaction_hash: bytes
    log_index: int

    @property
    def node_id(self) -> int:
        """The node it is about, or 0."""
        return int(self.arguments.get("node", 0))


class StakingEvents:
    """Reads and decodes the events of the network's Staking contract."""

    def __init__(self, client: ChainClient) -> None:
        """Bind to a client."""
        self._client = client
        kinds = [EventKind(entry) for entry in load_artifact("Staking").abi if entry["type"] == "event"]
        self._kinds = {kind.topic: kind for kind in kinds}

    async def read(self, first_block: int, last_block: int) -> list[Event]:
        """Read all events within blocks, both included, in the order of the chain."""
        logs = await self._client.logs([self._client.network.staking], first_block, last_block)
        return self.decode(logs)

    async def introductions(self, first_block: int, last_block: int) -> list[Event]:
        """Read what nodes said about themselves within blocks, both included, in the order of the chain."""
        return await self._search(("Registered", "IntroductionChanged"), [], last_block, first_block)

    async def of_staker(self, staker: Address, last_block: int, first_block: int | None = None) -> list[Event]:
        """Read what a staker deposited, voted, took out, released and claimed, in the order of the chain."""
        who = word(int(staker, 16))
        names = ("Voted", "Unvoted", "Revoted", "Released", "Claimed")
        found = await self._search(names, [None, None, who], last_block, first_block)
        found += await self._search(("Staked",), [who], last_block, first_block)
        return sorted(found, key=lambda event: (event.block_number, event.log_index))

    async def of_tranche(self, node_id: NodeId, tranche: int, last_block: int) -> list[Event]:
        """Read all votes, unvotes, revotes and claims in a tranche, by whomever, in the order of the chain."""
        names = ("Voted", "Unvoted", "Revoted", "Claimed")
        return await self._search(names, [word(node_id), word(tranche)], last_block)

    async def owners(self, node_id: NodeId, last_block: int) -> list[Event]:
        """Read how a node came to its owners: its registration and every transfer, in the order of the chain."""
        return await self._search(("Registered", "OwnerTransferred"), [word(node_id)], last_block)

    async def unvotes(self, node_id: NodeId, tranche: int, last_block: int) -> list[Event]:
        """Read all that was ever taken out of a tranche of a node, by whomever, in the order of the chain."""
        return await self._search(("Unvoted",), [word(node_id), word(tranche)], last_block)

    async def of_node(self, node_id: NodeId, last_block: int) -> list[Event]:
        """Read what ever happened to a node, but for draws and claims, in the order of the chain."""
        return await self._search(_ABOUT_NODES, [word(node_id)], last_block)

    async def marks(self, last_block: int) -> list[Event]:
        """Read every slash and every announced commission, in the order of the chain."""
        return await self._search(("Slashed", "CommissionAnnounced"), [], last_block)

    async def weighed(self, nodes: Sequence[NodeId], last_block: int) -> list[Event]:
        """Read every weight that nodes were ever given, in the order of the chain."""
        found = []
        for start in range(0, len(nodes), _NODES_OF_A_SEARCH):
            some = [word(node) for node in nodes[start : start + _NODES_OF_A_SEARCH]]
            found += await self._search(("Weighed",), [some], last_block)
        return sorted(found, key=lambda event: (event.block_number, event.log_index))

    async def _search(
        self,
        names: Sequence[str],
        indexed: Sequence[str | list[str] | None],
        last_block: int,
        first_block: int | None = None,
    ) -> list[Event]:
        topics = ["0x" + kind.topic.hex() for kind in self._kinds.values() if kind.name in names]
        network = self._client.network
        first = network.deploy_block if first_block is None else first_block
        found = await self._client.logs([network.staking], first, last_block, [topics, *indexed])
        return self.decode(found)

    def decode(self, logs: Sequence[LogReceipt]) -> list[Event]:
        """Decode logs; those of other contracts and unknown events are left out."""
        events = []
        for log in logs:
            if log["address"] != on_chain(self._client.network.staking) or not log["topics"]:
                continue
            topics = [bytes(topic) for topic in log["topics"]]
            kind = self._kinds.get(topics[0])
            if kind is None:
                continue
            events.append(
                Event(
                    name=kind.name,
                    arguments=kind.arguments(topics, bytes(log["data"])),
                    block_number=log["blockNumber"],
                    block_hash=bytes(log["blockHash"]),
                    transaction_hash=bytes(log["transactionHash"]),
                    log_index=log["logIndex"],
                ),
            )
        return sorted(events, key=lambda event: (event.block_number, event.log_index))


def word(number: int) -> str:
    """Write an indexed number as the 32 bytes of a topic."""
    return f"0x{number:064x}"
