"""The record of disputes: pages of them, and one in full, with its evidence, its jurors, and who paid whom."""

from collections.abc import Sequence

import msgspec

from cuckoo.chain.disputelog import Accusation, seated_in
from cuckoo.chain.disputes import Dispute, Seats
from cuckoo.chain.events import Event
from cuckoo.chain.rpc import Block, ChainClient
from cuckoo.domain.amounts import Wei
from cuckoo.domain.dispute import Phase
from cuckoo.domain.errors import InvalidField, NotFound
from cuckoo.domain.identifiers import NodeId
from cuckoo.services.disputing.court import Docket
from cuckoo.services.disputing.results import Result

STATES = ("all", "open", "past")


class JurorRecord(msgspec.Struct, frozen=True, kw_only=True):
    """What a node did in a round, 0 or 1; ``digest``: what its own computation gave, empty before it is told."""

    round: int
    node: NodeId
    seats: Seats
    digest: bytes
    paid_wei: Wei
    fined_wei: Wei


class Flow(msgspec.Struct, frozen=True, kw_only=True):
    """Money that moved.

    Attributes:
        kind: "bond", "own_stake", "votes" and "fine" were taken; "returned", "juror" and "burned" are where it went.
        who: an address, or "node 4"; empty for what is burned.
        transaction: its hash.
    """

    kind: str
    who: str
    amount_wei: Wei
    transaction: bytes


class Record(msgspec.Struct, frozen=True, kw_only=True):
    """A dispute in full; ``evidence`` is None where its texts can not be read."""

    result: Result
    evidence: Accusation | None
    jurors: tuple[JurorRecord, ...]
    flows: tuple[Flow, ...]


class Records:
    """Reads them from the chain; those that ended in final blocks, once."""

    def __init__(self, client: ChainClient) -> None:
        """Bind to a network."""
        self._client = client
        self._docket = Docket(client)
        self._ended: dict[int, Result] = {}

    async def page(
        self, state: str, offset: int, limit: int, miner: NodeId | None = None
    ) -> tuple[Block, int, list[Result]]:
        """Read some disputes, the newest first.

        Args:
            state: one of ``STATES``.
            offset, limit: which part of them.
            miner: only those about results of this one; None: all.

        Returns:
            The block that it is true at, how many there are in that state, and those.

        Raises:
            InvalidField: there is no such state.
            TransientError: the chain does not answer.
        """
        if state not in STATES:
            raise InvalidField("state", state, f"must be one of {', '.join(STATES)}")
        block = await self._client.block()
        running = {one.dispute_id for one in await self._docket.live()} if state != "all" else set()
        numbers: Sequence[int]
        if miner is None:
            numbers = range(await self._docket.contract.count(), 0, -1)
        else:
            numbers = (await self._docket.log.against(miner))[::-1]
        wanted = [one for one in numbers if state == "all" or (one in running) is (state == "open")]
        return block, len(wanted), [await self.result(one) for one in wanted[offset : offset + limit]]

    async def result(self, number: int) -> Result:
        """Read a dispute with its rounds; raises NotFound, TransientError."""
        known = self._ended.get(number)
        if known is not None:
            return known
        newest = await self._docket.contract.count()
        if not 1 <= number <= newest:
            raise NotFound(f"read dispute {number}: there are {newest}")
        found = await self._docket.result(await self._docket.contract.dispute(number))
        if found.ending is not None and await self._final(found.dispute):
            self._ended[number] = found
        return found

    async def _final(self, dispute: Dispute) -> bool:
        if await self._docket.contract.count("finalized") < dispute.dispute_id:
            return False
        return (await self._docket.contract.dispute(dispute.dispute_id, "finalized")).phase is Phase.ENDED

    async def record(self, number: int) -> Record:
        """Read a dispute in full; raises NotFound, TransientError."""
        result = await self.result(number)
        ticket = result.rounds[0].ticket
        story = await self._docket.log.story(number, ticket)
        try:
            evidence = await self._docket.log.accusation(number, ticket)
        except InvalidField:  # a signer may sign what nobody can read
            evidence = None
        jurors = [
            _juror(index, node, await self._docket.contract.seats(number, index, node), story)
            for index, node in seated_in(story)
        ]
        return Record(result=result, evidence=evidence, jurors=tuple(jurors), flows=tuple(_flows(result, story)))


def _juror(index: int, node: NodeId, seats: Seats, story: Sequence[Event]) -> JurorRecord:
    mine = [one for one in story if one.arguments.get("node") == node and one.arguments.get("round") == index]
    return JurorRecord(
        round=index,
        node=node,
        seats=seats,
        digest=next((bytes(one.arguments["digest"]) for one in mine if one.name == "Revealed"), b""),
        paid_wei=Wei(sum(one.arguments["amount"] for one in mine if one.name == "JurorPaid")),
        fined_wei=Wei(sum(one.arguments["amount"] for one in mine if one.name == "JurorPenalised")),
    )


def _flows(result: Result, story: Sequence[Event]) -> list[Flow]:
    """List what was taken from whom and where it went; fees of jurors who were not settled yet are still to come."""
    found = []
    miner, end = f"node {result.dispute.miner}", b""

    def flow(kind: str, who: str, amount: int, transaction: bytes) -> None:
        if amount:
            found.append(Flow(kind=kind, who=who, amount_wei=Wei(amount), transaction=transaction))

    for event in story:
        told, transaction = event.arguments, event.transaction_hash
        match event.name:
            case "Opened":
                flow("bond", told["accuser"], told["bond"], transaction)
            case "Appealed":
                flow("bond", told["appellant"], told["bond"], transaction)
            case "Executed":
                end = transaction
                flow("own_stake", miner, told["ownLoss"], transaction)
                flow("votes", miner, told["votesLoss"], transaction)
            case "Credited":
                flow("returned", told["account"], told["amount"], transaction)
            case "JurorPaid":
                flow("juror", told["payee"], told["amount"], transaction)
            case "JurorPenalised":
                flow("fine", f"node {told['node']}", told["amount"], transaction)
                flow("burned", "", told["amount"], transaction)
            case _:
                pass
    flow("burned", "", result.burned_wei, end)
    return found
