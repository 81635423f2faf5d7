"""Events of the Disputes contract: what a dispute is about, and how it ended."""

from collections.abc import Sequence
from typing import Any

import msgspec
from eth_abi.exceptions import DecodingError
from web3.types import LogReceipt

from cuckoo.chain.abi import EventKind
from cuckoo.chain.artifact import load_artifact
from cuckoo.chain.events import Event, word
from cuckoo.chain.rpc import ChainClient, on_chain
from cuckoo.domain.amounts import Wei
from cuckoo.domain.errors import ChainUnreachable, InvalidField
from cuckoo.domain.identifiers import NodeId, TaskId
from cuckoo.domain.task import RuntimeProfile
from cuckoo.protocol.receipts import Assignment, Receipt

_LONGEST_DELAY = 64
"""Blocks between the opening of a round and its ticket; the bound of BlockRandomness."""


_IN_DISPUTES = (
    "Opened",
    "RoundStarted",
    "Appealed",
    "SeatsClaimed",
    "Revealed",
    "Executed",
    "Credited",
    "JurorPaid",
    "JurorPenalised",
)
"""Events whose first indexed field is the dispute, and that tell who judged how and who paid whom."""


class Accusation(msgspec.Struct, frozen=True, kw_only=True):
    """What a dispute is about, as the chain has checked it; of the task's parameters it knows the hash only."""

    assignment_hash: bytes
    task_id: TaskId
    parameters_hash: bytes
    receipt: Receipt


class Ending(msgspec.Struct, frozen=True, kw_only=True):
    """What came of a dispute, in wei.

    Attributes:
        own_wei, votes_wei: what the miner's own stake and its voters lost.
        returned_wei: bonds that went back.
    """

    own_wei: Wei
    votes_wei: Wei
    returned_wei: Wei

    @property
    def lost_wei(self) -> Wei:
        """All that the miner and its voters lost."""
        return Wei(self.own_wei + self.votes_wei)


class DisputesLog:
    """Reads and decodes the events of the network's Disputes contract."""

    def __init__(self, client: ChainClient) -> None:
        """Bind to a client."""
        self._client = client
        self._address = client.network.disputes
        abi = load_artifact("Disputes").abi
        self._evidence = client.web3.eth.contract(on_chain(self._address), abi=abi).events.Evidence()
        entries = [entry for entry in abi if entry["type"] == "event" and entry["name"] != "Evidence"]
        self._kinds = {kind.topic: kind for kind in map(EventKind, entries)}
        self._evidence_topic = str(self._evidence.topic)

    async def opened(self, assignment: Assignment, fault_id: bytes) -> list[int]:
        """Find the disputes over a fault, oldest first."""
        latest = (await self._client.block()).number
        who = [word(assignment.miner_node), word(assignment.coordinator_node)]
        found = await self._search(("Opened",), [None, *who], min(assignment.draw_block, latest), latest)
        return [event.arguments["dispute"] for event in found if bytes(event.arguments["faultId"]) == fault_id]

    async def against(self, miner: NodeId) -> list[int]:
        """Find all disputes about results of a miner, oldest first."""
        latest = (await self._client.block()).number
        found = await self._search(("Opened",), [None, word(miner)], self._client.network.deploy_block, latest)
        return [event.arguments["dispute"] for event in found]

    def opened_in(self, logs: Sequence[LogReceipt]) -> int:
        """Return the dispute that a transaction has opened, by its logs."""
        return next(int(event.arguments["dispute"]) for event in self._decode(logs) if event.name == "Opened")

    async def accusation(self, dispute_id: int, ticket: int) -> Accusation:
        """Read what a dispute is about.

        Args:
            dispute_id: which.
            ticket: of its first round: it was opened at most 64 blocks before, unless that ticket is a later one.

        Raises:
            ChainUnreachable: no endpoint shows it now.
            InvalidField: its texts can not be read.
        """
        latest = (await self._client.block()).number
        for first, last in ((ticket - _LONGEST_DELAY, min(ticket, latest)), (0, latest)):
            start = max(first, self._client.network.deploy_block)
            topics = [self._evidence_topic, word(dispute_id)]
            logs = await self._client.logs([self._address], start, last, topics)
            if logs:
                return self._accusation(logs[0])
        raise ChainUnreachable(f"read dispute {dispute_id}: its evidence is in no block that the endpoint shows")

    async def ending(self, dispute_id: int, ticket: int) -> Ending:
        """Read what came of a dispute that has ended; ``ticket``: of its first round.

        Raises:
            ChainUnreachable: no endpoint shows it now.
        """
        latest, indexed = (await self._client.block()).number, [word(dispute_id)]
        first = max(self._client.network.deploy_block, min(ticket - _LONGEST_DELAY, latest))
        executed = await self._search(("Executed",), indexed, first, latest)
        if not executed:
            raise ChainUnreachable(f"read dispute {dispute_id}: its end is in no block that the endpoint shows")
        credited = await self._search(("Credited",), indexed, first, latest)
        found = executed[0].arguments
        return Ending(
            own_wei=Wei(found["ownLoss"]),
            votes_wei=Wei(found["votesLoss"]),
            returned_wei=Wei(sum(event.arguments["amount"] for event in credited)),
        )

    async def story(self, dispute_id: int, ticket: int) -> list[Event]:
        """Read all that happened in a dispute, in the order of the chain; ``ticket``: of its first round."""
        latest = (await self._client.block()).number
        first = max(self._client.network.deploy_block, min(ticket - _LONGEST_DELAY, latest))
        return await self._search(_IN_DISPUTES, [word(dispute_id)], first, latest)

    async def jurors(self, dispute_id: int, ticket: int) -> list[tuple[int, NodeId]]:
        """Read who claimed seats: number of the round, and node; ``ticket``: of the first round."""
        return seated_in(await self.story(dispute_id, ticket))

    async def _search(self, names: Sequence[str], indexed: Sequence[str | None], first: int, last: int) -> list[Event]:
        topics: list[str | list[str] | None] = [
            ["0x" + kind.topic.hex() for kind in self._kinds.values() if kind.name in names],
            *indexed,
        ]
        return self._decode(await self._client.logs([self._address], first, last, topics))

    def _decode(self, logs: Sequence[LogReceipt]) -> list[Event]:
        events = []
        for log in logs:
            topics = [bytes(topic) for topic in log["topics"]]
            kind = self._kinds.get(topics[0]) if topics else None
            if kind is not None and log["address"] == on_chain(self._address):
                events.append(
                    Event(
                        name=kind.name,
                        arguments=kind.arguments(topics, bytes(log["data"])),
                        block_number=log["blockNumber"],
                        block_hash=bytes(log["blockHash"]),
                        transaction_hash=bytes(log["transactionHash"]),
                        log_index=log["logIndex"],
                    )
                )
        return sorted(events, key=lambda event: (event.block_number, event.log_index))

    def _accusation(self, log: LogReceipt) -> Accusation:
        try:
            found: Any = self._evidence.process_log(log)["args"]
        except (ValueError, DecodingError) as error:  # a signer may sign a text that is no UTF-8
            raise InvalidField("receipt", "its profile", f"must be text: {error}") from error
        assignment, receipt = _values(found["assignment"]), _values(found["receipt"])
        profile = _values(receipt[3])
        return Accusation(
            assignment_hash=bytes(found["assignmentHash"]),
            task_id=TaskId(bytes(assignment[2]).hex()),
            parameters_hash=bytes(assignment[5]),
            receipt=Receipt(
                assignment_hash=bytes(receipt[0]),
                picture_hashes=tuple(bytes(one) for one in receipt[1]),
                latents_root=bytes(receipt[2]),
                profile=RuntimeProfile(**dict(zip(RuntimeProfile.__struct_fields__, profile, strict=True))),
                finished_at=receipt[4],
            ),
        )


def seated_in(story: Sequence[Event]) -> list[tuple[int, NodeId]]:
    """Return who claimed seats in a dispute: number of the round, and node."""
    claims = [event.arguments for event in story if event.name == "SeatsClaimed"]
    return [(claim["round"], NodeId(claim["node"])) for claim in claims]


def _values(row: Any) -> list[Any]:
    return list(row.values()) if hasattr(row, "values") else list(row)
