"""The Disputes contract: faults that two signatures prove by themselves, and disputes that a jury judges."""

from typing import Any

import msgspec
from web3.types import BlockIdentifier, TxReceipt

from cuckoo.chain.contracts import Contract
from cuckoo.chain.rpc import ChainClient, on_chain
from cuckoo.chain.transactions import Sends
from cuckoo.domain.amounts import Wei
from cuckoo.domain.dispute import Outcome, Phase, Verdict
from cuckoo.domain.identifiers import Address, NodeId
from cuckoo.protocol.eip712 import hash_task_parameters
from cuckoo.protocol.receipts import Assignment, Receipt


class Dispute(msgspec.Struct, frozen=True, kw_only=True):
    """A dispute as it stands.

    Attributes:
        fault_id: what it is about; one conviction each.
        accuser: who opened it, with ``bond_wei``.
        appellant: who appealed, with ``appeal_bond_wei``; None if nobody did.
        rounds: 1, or 2 after an appeal.
        phase_ends: unix seconds; 0 in the last two phases.
        fee_wei: what each seat gets that said what came out; 0 before the end.
    """

    dispute_id: int
    fault_id: bytes
    coordinator: NodeId
    miner: NodeId
    accuser: Address
    bond_wei: Wei
    appellant: Address | None
    appeal_bond_wei: Wei
    rounds: int
    phase: Phase
    phase_ends: int
    outcome: Outcome
    fee_wei: Wei


class Round(msgspec.Struct, frozen=True, kw_only=True):
    """One round of a dispute.

    Attributes:
        started_at: unix seconds.
        weight_cai: of all who could judge.
        expected: seats.
        claimed, guilty, not_guilty, abstained: seats.
        ticket: number of the block whose hash is the seed.
        seed: zeros before it is known.
    """

    started_at: int
    weight_cai: int
    expected: int
    claimed: int
    guilty: int
    not_guilty: int
    abstained: int
    ticket: int
    seed: bytes

    @property
    def seed_known(self) -> bool:
        """Whether the jury was drawn."""
        return self.seed != bytes(32)


class Seats(msgspec.Struct, frozen=True, kw_only=True):
    """What a node has in a round: seats, what it committed to (zeros before) and revealed, whether it is settled."""

    seats: int
    commitment: bytes
    verdict: Verdict
    settled: bool

    @property
    def committed(self) -> bool:
        """Whether a verdict is committed."""
        return self.commitment != bytes(32)


class DisputesContract(Contract):
    """Disputes of the network."""

    def __init__(self, client: ChainClient) -> None:
        """Bind to the network's disputes."""
        super().__init__(client, "Disputes", client.network.disputes)

    async def prove_two_receipts(
        self,
        sender: Sends,
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
        self, sender: Sends, first: tuple[Assignment, bytes], second: tuple[Assignment, bytes]
    ) -> TxReceipt:
        """Convict a coordinator that signed two heads of its draw log for one index; each with its signature.

        Raises:
            Reverted: ``AlreadyConvicted``, or they prove nothing.
        """
        doing = f"prove that coordinator {first[0].coordinator_node} signed two draw logs"
        signed = [(_assignment(assignment), signature) for assignment, signature in (first, second)]
        return await self._write(sender, doing, "proveHeadEquivocation", *signed)

    # Judged.

    async def open(
        self, sender: Sends, assignment: tuple[Assignment, bytes], receipt: tuple[Receipt, bytes], *, once: str = ""
    ) -> TxReceipt:
        """Accuse a miner of a wrong result; the sender has approved the bond. ``once``: see :meth:`Sender.send`.

        Raises:
            Reverted: ``AlreadyConvicted``, ``DisputeRunning``, ``ReopenedAlready``, ``ReportWindowOver`` ...
        """
        doing = f"accuse miner {assignment[0].miner_node} of a wrong result"
        signed = (_assignment(assignment[0]), assignment[1])
        return await self._write(sender, doing, "open", signed, (_receipt(receipt[0]), receipt[1]), once=once)

    async def draw_seed(self, sender: Sends, dispute_id: int) -> TxReceipt:
        """Draw a round's seed, or another ticket where it was lost; raises Reverted (``SeedUnknown``: too early)."""
        return await self._write(sender, f"draw the jury of dispute {dispute_id}", "drawSeed", dispute_id)

    async def seats_won(self, operator: Address, dispute_id: int, node: NodeId) -> int:
        """Read how many seats :meth:`claim_seats` would give now; raises Reverted for why it gives none."""
        return int(
            await self._client.run(
                lambda web3: (
                    web3.eth.contract(on_chain(self.address), abi=self._contract.abi)
                    .functions.claimSeats(dispute_id, node)
                    .call({"from": on_chain(operator)})
                ),
                doing=f"ask for seats in dispute {dispute_id}",
            )
        )

    async def claim_seats(self, sender: Sends, dispute_id: int, node: NodeId, *, once: str = "") -> TxReceipt:
        """Take the seats that the lottery gives; each that stays silent costs two fees."""
        doing = f"claim seats in dispute {dispute_id}"
        return await self._write(sender, doing, "claimSeats", dispute_id, node, once=once)

    async def commit(
        self, sender: Sends, dispute_id: int, node: NodeId, commitment: bytes, *, once: str = ""
    ) -> TxReceipt:
        """Commit to a verdict, once; see :meth:`commitment`."""
        doing = f"commit a verdict in dispute {dispute_id}"
        return await self._write(sender, doing, "commit", dispute_id, node, commitment, once=once)

    async def reveal(
        self,
        sender: Sends,
        dispute_id: int,
        node: NodeId,
        *,
        verdict: Verdict,
        digest: bytes,
        salt: bytes,
        once: str = "",
    ) -> TxReceipt:
        """Open a commitment."""
        values = (dispute_id, node, int(verdict), digest, salt)
        return await self._write(sender, f"reveal a verdict in dispute {dispute_id}", "reveal", *values, once=once)

    async def appeal(self, sender: Sends, dispute_id: int) -> TxReceipt:
        """Have a larger jury judge again; the sender has approved the bond, and is on the side that lost."""
        return await self._write(sender, f"appeal in dispute {dispute_id}", "appeal", dispute_id)

    async def execute(self, sender: Sends, dispute_id: int) -> TxReceipt:
        """End a dispute whose time is over."""
        return await self._write(sender, f"end dispute {dispute_id}", "execute", dispute_id)

    async def settle_juror(self, sender: Sends, dispute_id: int, number: int, node: NodeId) -> TxReceipt:
        """Pay or punish a juror of a round of a dispute that has ended."""
        doing = f"settle the seats of miner {node} in dispute {dispute_id}"
        return await self._write(sender, doing, "settleJuror", dispute_id, number, node)

    async def withdraw(self, sender: Sends) -> TxReceipt:
        """Take back the bonds that the sender is owed."""
        return await self._write(sender, "take bonds back", "withdraw")

    # Reads.

    async def count(self, block: BlockIdentifier = "latest") -> int:
        """Read how many disputes were ever opened; ids are 1 to this."""
        return int(await self._read("disputeCount", block=block))

    async def dispute(self, dispute_id: int, block: BlockIdentifier = "latest") -> Dispute:
        """Read a dispute; raises Reverted where there is none."""
        row = await self._read("disputeOf", dispute_id, block=block, doing=f"read dispute {dispute_id}")
        return Dispute(
            dispute_id=dispute_id,
            fault_id=bytes(row[0]),
            coordinator=NodeId(row[1]),
            miner=NodeId(row[2]),
            accuser=Address(row[3]),
            bond_wei=Wei(row[4]),
            appellant=Address(row[5]) if int(row[5], 16) else None,
            appeal_bond_wei=Wei(row[6]),
            rounds=row[7],
            phase=Phase(row[8]),
            phase_ends=row[9],
            outcome=Outcome(row[10]),
            fee_wei=Wei(row[11]),
        )

    async def round(self, dispute_id: int, number: int, block: BlockIdentifier = "latest") -> Round:
        """Read a round, 0 or 1."""
        row = await self._read("roundOf", dispute_id, number, block=block, doing=f"read dispute {dispute_id}")
        return Round(
            started_at=row[0],
            weight_cai=row[2],
            expected=row[3],
            claimed=row[4],
            guilty=row[5],
            not_guilty=row[6],
            abstained=row[7],
            ticket=row[8],
            seed=bytes(row[9]),
        )

    async def seats(self, dispute_id: int, number: int, node: NodeId, block: BlockIdentifier = "latest") -> Seats:
        """Read what a node has in a round."""
        row = await self._read("jurorOf", dispute_id, number, node, block=block, doing=f"read dispute {dispute_id}")
        return Seats(commitment=bytes(row[0]), seats=row[1], verdict=Verdict(row[2]), settled=row[3])

    async def commitment(
        self, dispute_id: int, number: int, node: NodeId, verdict: Verdict, digest: bytes, salt: bytes
    ) -> bytes:
        """Hash what a juror commits to."""
        values = (dispute_id, number, node, int(verdict), digest, salt)
        return bytes(await self._read("commitmentOf", *values, block="latest"))

    async def fault_id(self, assignment: Assignment) -> bytes:
        """Hash what a miner is convicted of once."""
        values = (assignment.coordinator_node, assignment.miner_node, assignment.struct_hash())
        return bytes(await self._read("faultIdOf", *values, block="latest"))

    async def bond(self, fault_id: bytes, block: BlockIdentifier = "latest") -> Wei:
        """Read what it takes to accuse somebody of a fault now."""
        return Wei(await self._read("bondOf", fault_id, block=block))

    async def appeal_bond(self, block: BlockIdentifier = "latest") -> Wei:
        """Read what it takes to appeal."""
        return Wei(await self._read("appealBond", block=block))

    async def owed(self, account: Address, block: BlockIdentifier = "latest") -> Wei:
        """Read what an account can withdraw."""
        return Wei(await self._read("owedTo", account, block=block))


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
