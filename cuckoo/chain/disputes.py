"""The Disputes contract: faults that two signatures prove by themselves."""

from typing import Any

from web3.types import TxReceipt

from cuckoo.chain.contracts import Contract
from cuckoo.chain.rpc import ChainClient
from cuckoo.chain.transactions import Sender
from cuckoo.protocol.eip712 import hash_task_parameters
from cuckoo.protocol.receipts import Assignment, Receipt


class DisputesContract(Contract):
    """Disputes of the network."""

    def __init__(self, client: ChainClient) -> None:
        """Bind to the network's disputes."""
        super().__init__(client, "Disputes", client.network.disputes)

    async def prove_two_receipts(
        self,
        sender: Sender,
        assignment: tuple[Assignment, bytes],
        first: tuple[Receipt, bytes],
        second: tuple[Receipt, bytes],
    ) -> TxReceipt:
        """Convict a miner that signed two receipts over one assignment; each with its signature.

        Raises:
            Reverted: ``AlreadyConvicted``, or they prove nothing.
        """
        doing = f"prove that miner {assignment[0].miner_node} signed two results"
        signed = (_assignment(assignment[0]), assignment[1])
        receipts = [(_receipt(receipt), signature) for receipt, signature in (first, second)]
        return await self._write(sender, doing, "proveReceiptEquivocation", signed, *receipts)

    async def prove_two_heads(
        self, sender: Sender, first: tuple[Assignment, bytes], second: tuple[Assignment, bytes]
    ) -> TxReceipt:
        """Convict a coordinator that signed two heads of its draw log for one index; each with its signature.

        Raises:
            Reverted: ``AlreadyConvicted``, or they prove nothing.
        """
        doing = f"prove that coordinator {first[0].coordinator_node} signed two draw logs"
        signed = [(_assignment(assignment), signature) for assignment, signature in (first, second)]
        return await self._write(sender, doing, "proveHeadEquivocation", *signed)


def _assignment(one: Assignment) -> tuple[Any, ...]:
    return (
        one.coordinator_node,
        one.miner_node,
        bytes.fromhex(one.task_id),
        one.attempt,
        one.sequence,
        hash_task_parameters(one.parameters),
        one.price,
        one.deadline,
        one.seed_tip,
        one.draw_index,
        one.draw_head,
        one.draw_block,
    )


def _receipt(one: Receipt) -> tuple[Any, ...]:
    profile = one.profile
    return (
        one.assignment_hash,
        list(one.picture_hashes),
        one.latents_root,
        (
            profile.device,
            profile.dtype,
            profile.torch,
            profile.attention,
            profile.threads,
            profile.isa,
            profile.batch_bucket,
        ),
        one.finished_at,
    )
