"""The Escrow contract: what a coordinator holds ready for each miner."""

from collections.abc import Sequence

import msgspec
from web3.types import BlockIdentifier, TxReceipt

from cuckoo.chain.contracts import Contract
from cuckoo.chain.rpc import ChainClient
from cuckoo.chain.transactions import Sender
from cuckoo.domain.amounts import Wei
from cuckoo.domain.identifiers import NodeId

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
