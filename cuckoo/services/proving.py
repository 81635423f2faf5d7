"""Proves on chain that a miner signed two results for one assignment: no jury is needed, two signatures suffice."""

from typing import Protocol

import structlog

from cuckoo.chain.disputes import DisputesContract
from cuckoo.chain.reverts import Reverted
from cuckoo.chain.rpc import ChainClient
from cuckoo.chain.transactions import Sender
from cuckoo.domain.errors import ConfigError, NotFound, TransientError
from cuckoo.protocol.messages import decode_binary
from cuckoo.protocol.receipts import Assignment, Receipt
from cuckoo.runtime.clock import Clock
from cuckoo.storage.proofs import ProofState, SecondReceipt
from cuckoo.storage.store import Store

log = structlog.get_logger(__name__)

LOOK_S = 2.0


class Court(Protocol):
    """Where it is proven. Raises Reverted with the chain's reason, ConfigError without gas, or TransientError."""

    async def two_receipts(
        self, assignment: tuple[Assignment, bytes], first: tuple[Receipt, bytes], second: tuple[Receipt, bytes]
    ) -> None:
        """Convict the miner."""


class Proving:
    """Proves until cancelled; what is interrupted is proven at the next look: one conviction is all there can be."""

    def __init__(self, store: Store, court: Court, *, clock: Clock) -> None:
        """Take the store that holds receipts, where to prove, and time."""
        self._store = store
        self._court = court
        self._clock = clock

    async def run(self) -> None:
        """Look, prove, wait."""
        while True:
            await self.look()
            await self._clock.sleep(LOOK_S)

    async def look(self) -> None:
        """Prove what is to be proven."""
        for second in await self._store.proofs.all_open():
            try:
                state, detail = await self._prove(second)
            except (TransientError, ConfigError) as error:
                log.warning("not proven yet that a miner signed twice", **_of(second), reason=str(error))
                continue
            await self._store.writer.execute(self._store.proofs.close(second, state, detail))
            log.warning("a miner signed two results", **_of(second), state=state.value, detail=detail)

    async def _prove(self, second: SecondReceipt) -> tuple[ProofState, str]:
        try:
            stored = await self._store.tasks.get(second.task_id)
        except NotFound as error:
            return ProofState.REFUSED, str(error)
        attempt = stored.attempts[second.attempt - 1]
        if attempt.receipt is None or attempt.receipt_signature is None:
            return ProofState.REFUSED, "no other receipt was accepted"
        try:
            await self._court.two_receipts(
                (decode_binary(attempt.assignment, Assignment), attempt.signature),
                (decode_binary(attempt.receipt, Receipt), attempt.receipt_signature),
                (decode_binary(second.receipt, Receipt), second.signature),
            )
        except Reverted as refusal:
            known = refusal.name == "AlreadyConvicted"
            return (ProofState.PROVEN, "proven by others") if known else (ProofState.REFUSED, str(refusal))
        return ProofState.PROVEN, "half of the stake of its own was slashed, and it is in jail"


class ChainCourt:
    """The Disputes contract, through the operator's wallet."""

    def __init__(self, client: ChainClient, sender: Sender) -> None:
        """Bind to a network and a wallet."""
        self._disputes = DisputesContract(client)
        self._sender = sender

    async def two_receipts(
        self, assignment: tuple[Assignment, bytes], first: tuple[Receipt, bytes], second: tuple[Receipt, bytes]
    ) -> None:
        """Convict the miner."""
        await self._disputes.prove_two_receipts(self._sender, assignment, first, second)


def _of(second: SecondReceipt) -> dict[str, object]:
    return {"task": second.task_id, "attempt": second.attempt, "miner": second.miner_node}
