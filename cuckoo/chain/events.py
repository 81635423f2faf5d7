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
            events.append(_event(kind, kind.arguments(topics, bytes(log["data"])), log))
        return sorted(events, key=lambda event: (event.block_number, event.log_index))


class IncomeEvents:
    """Everything in Staking and Escrow that says what nodes are, and what they and their stakers have earned."""

    OF_NODES = (*_ABOUT_NODES, "OwnerTransferStarted", "Weighed", "Claimed", "Wiped", "Redeemed")
    OF_RESERVES = ("ReserveFunded", "EmissionRateChanged")

    def __init__(self, client: ChainClient) -> None:
        """Bind to a client."""
        self._client = client
        network = client.network
        self._kinds = {
            (on_chain(address), kind.topic): kind
            for contract, address in (("Staking", network.staking), ("Escrow", network.escrow))
            for kind in (EventKind(entry) for entry in load_artifact(contract).abi if entry["type"] == "event")
            if kind.name in self.OF_NODES + self.OF_RESERVES
        }

    async def read(self, first_block: int, last_block: int) -> list[tuple[Event, int]]:
        """Read them within blocks, both included, in the order of the chain, each with the unix time of its block.

        An event of Escrow is about its miner.
        """
        network = self._client.network
        topics = ["0x" + topic.hex() for _, topic in self._kinds]
        logs = await self._client.logs([network.staking, network.escrow], first_block, last_block, [topics])
        times: dict[int, int] = {}
        found = []
        for log in sorted(logs, key=lambda log: (log["blockNumber"], log["logIndex"])):
            topics_of = [bytes(topic) for topic in log["topics"]]
            kind = self._kinds.get((log["address"], topics_of[0]))
            if kind is None:
                continue
            number = log["blockNumber"]
            if number not in times:
                times[number] = _told_time(log) or (await self._client.block(number)).timestamp
            arguments = kind.arguments(topics_of, bytes(log["data"]))
            if "miner" in arguments:
                arguments["node"] = arguments["miner"]
            found.append((_event(kind, arguments, log), times[number]))
        return found


def _told_time(log: LogReceipt) -> int:
    """Return the time of a log's block where the endpoint tells it with the log; 0 where it does not."""
    told: Any = log.get("blockTimestamp", 0)
    return int(told, 16) if isinstance(told, str) else int(told)


def _event(kind: EventKind, arguments: dict[str, Any], log: LogReceipt) -> Event:
    return Event(
        name=kind.name,
        arguments=arguments,
        block_number=log["blockNumber"],
        block_hash=bytes(log["blockHash"]),
        transaction_hash=bytes(log["transactionHash"]),
        log_index=log["logIndex"],
    )


def word(number: int) -> str:
    """Write an indexed number as the 32 bytes of a topic."""
    return f"0x{number:064x}"
