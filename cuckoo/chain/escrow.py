"""The Escrow contract: what a coordinator holds ready for each miner."""

from collections.abc import Sequence
from enum import StrEnum

import msgspec
from web3.types import BlockIdentifier, LogReceipt, TxReceipt

from cuckoo.chain.abi import EventKind
from cuckoo.chain.artifact import load_artifact
from cuckoo.chain.contracts import Contract
from cuckoo.chain.rpc import ChainClient
from cuckoo.chain.transactions import Sender
from cuckoo.domain.amounts import Wei
from cuckoo.domain.identifiers import NodeId, Role

MOST_MINERS = 100
"""Miners of one deposit; the contract's bound."""


class EscrowAccount(msgspec.Struct, frozen=True, kw_only=True):
    """What one coordinator holds ready for one miner.

    Attributes:
        balance_wei: all of it.
        thawing_wei: the part that is announced to be withdrawn; still redeemable.
        thawed_at: when that part can be withdrawn, unix seconds.
        redeemed_wei: what was ever paid to the miner.
        fees_wei: what is kept for the miner's stakers and not passed on yet.
    """

    balance_wei: Wei
    thawing_wei: Wei
    thawed_at: int
    redeemed_wei: Wei
    fees_wei: Wei

    def free_wei(self, cumulative_wei: int) -> Wei:
        """Return what is left for new work when so much has been earned in all; nothing that thaws counts."""
        return Wei(max(0, self.balance_wei - self.thawing_wei - max(0, cumulative_wei - self.redeemed_wei)))


class MovementKind(StrEnum):
    """What happens to an account, as the contract's events name it."""

    DEPOSITED = "Deposited"
    THAW_STARTED = "ThawStarted"
    WITHDRAWN = "ThawedWithdrawn"
    REDEEMED = "Redeemed"
    FEES_PASSED = "FeesPassed"


class Movement(msgspec.Struct, frozen=True, kw_only=True):
    """One event of the Escrow contract.

    Attributes:
        amount_wei: what moved; of a redemption with the part for the stakers.
        fees_wei: of a redemption: that part.
        at: time of its block, unix seconds.
        reference: hash of the transaction and number of the log in its block.
    """

    kind: MovementKind
    coordinator: NodeId
    miner: NodeId
    amount_wei: Wei
    fees_wei: Wei = Wei(0)
    at: int
    reference: str


class EscrowContract(Contract):
    """Escrow of the network."""

    def __init__(self, client: ChainClient) -> None:
        """Bind to the network's escrow."""
        super().__init__(client, "Escrow", client.network.escrow)

    async def account(self, coordinator: NodeId, miner: NodeId, block: BlockIdentifier = "latest") -> EscrowAccount:
        """Read an account; zeros where there is none."""
        row = await self._read(
            "account", coordinator, miner, block=block, doing=f"read the escrow of {coordinator} for {miner}"
        )
        return EscrowAccount(
            balance_wei=Wei(row[0]),
            thawing_wei=Wei(row[1]),
            thawed_at=row[2],
            redeemed_wei=Wei(row[3]),
            fees_wei=Wei(row[4]),
        )

    async def deposit(self, sender: Sender, coordinator: NodeId, amounts: Sequence[tuple[NodeId, Wei]]) -> TxReceipt:
        """Add to what is held ready for at most 100 miners; the sender has approved the sum."""
        miners, wei = [miner for miner, _ in amounts], [amount for _, amount in amounts]
        doing = f"hold CAI ready for {len(miners)} miners"
        return await self._write(sender, doing, "depositMany", coordinator, miners, wei)

    async def redeem(
        self, sender: Sender, coordinator: NodeId, miner: NodeId, cumulative_wei: int, signature: bytes
    ) -> TxReceipt:
        """Redeem a voucher."""
        voucher = (coordinator, miner, cumulative_wei)
        return await self._write(sender, f"redeem the voucher of {coordinator}", "redeem", voucher, signature)

    async def pass_fees(self, sender: Sender, coordinator: NodeId, miner: NodeId) -> TxReceipt:
        """Pass what is kept for a miner's stakers on to them."""
        return await self._write(sender, "pass fees to the stakers", "passFees", coordinator, miner)


class NodeEscrow:
    """All that Escrow holds about one node, whoever moved it."""

    def __init__(self, client: ChainClient, role: Role, node: NodeId) -> None:
        """Bind to a network and a node of it."""
        self._client = client
        self._contract = EscrowContract(client)
        self._role = role
        self._node = node
        abi = load_artifact("Escrow").abi
        kinds = [EventKind(entry) for entry in abi if entry["type"] == "event"]
        self._kinds = {kind.topic: kind for kind in kinds if kind.name in set(MovementKind)}

    @property
    def first_block(self) -> int:
        """No movement is older."""
        return self._client.network.deploy_block

    async def genesis(self) -> str:
        """Return which chain this is: the hash of its block 0."""
        return await self._client.genesis()

    async def final_block(self) -> int:
        """Return the newest block that no reorganisation takes away."""
        return (await self._client.block("finalized")).number

    async def latest_block(self) -> int:
        """Return the newest block."""
        return (await self._client.block()).number

    async def account(self, other: NodeId, block: int) -> EscrowAccount:
        """Read the account of this node with another one, at a block."""
        pair = (other, self._node) if self._role is Role.MINER else (self._node, other)
        return await self._contract.account(*pair, block)

    async def movements(self, first_block: int, last_block: int) -> list[Movement]:
        """Read what moved within blocks, both included, in the order of the chain; raises TransientError."""
        topics: list[str | list[str] | None] = [["0x" + topic.hex() for topic in self._kinds]]
        topics += [None] * (self._role is Role.MINER) + [f"0x{self._node:064x}"]
        logs = await self._client.logs([self._contract.address], first_block, last_block, topics)
        logs.sort(key=lambda log: (log["blockNumber"], log["logIndex"]))
        times: dict[int, int] = {}
        for log in logs:
            if log["blockNumber"] not in times:
                times[log["blockNumber"]] = (await self._client.block(log["blockNumber"])).timestamp
        return [self._movement(log, times[log["blockNumber"]]) for log in logs]

    def _movement(self, log: LogReceipt, at: int) -> Movement:
        topics = [bytes(topic) for topic in log["topics"]]
        kind = self._kinds[topics[0]]
        values = kind.arguments(topics, bytes(log["data"]))
        return Movement(
            kind=MovementKind(kind.name),
            coordinator=NodeId(values["coordinator"]),
            miner=NodeId(values["miner"]),
            amount_wei=Wei(values["amount"]),
            fees_wei=Wei(values.get("fees", 0)),
            at=at,
            reference=f"{bytes(log['transactionHash']).hex()}/{log['logIndex']}",
        )
