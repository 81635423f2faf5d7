"""Takes results that were found wrong to a jury, and sees each dispute through to its end."""

import structlog

from cuckoo.chain.disputes import Dispute
from cuckoo.chain.reverts import Reverted
from cuckoo.domain.dispute import Outcome, Phase
from cuckoo.domain.errors import ConfigError, InvalidField, NotFound, TransientError
from cuckoo.domain.identifiers import NodeId
from cuckoo.protocol.messages import decode_binary
from cuckoo.protocol.receipts import Assignment, Receipt
from cuckoo.runtime.clock import Clock
from cuckoo.services.disputing.court import Court
from cuckoo.storage.accusations import AccusationState, NewAccusation, StoredAccusation
from cuckoo.storage.store import Store

log = structlog.get_logger(__name__)

COUNTED, COUNTED_S = 2, 7 * 86_400
"""So many judged slashes of a miner count in so many seconds: the contract's rule. More disputes take no stake of it,
and their juries are paid out of the accuser's bond."""


class Accusing:
    """Accuses until cancelled.

    An accusation is on disk before it is sent, and looked for on chain before it is sent again: a process that is
    killed in between forgets none, and opens none twice.
    """

    def __init__(self, node_id: NodeId, store: Store, court: Court, *, clock: Clock) -> None:
        """Take the coordinator's number, the store with accusations, the contract, and time."""
        self._node_id = node_id
        self._store = store
        self._court = court
        self._clock = clock
        self._known: set[int] = set()
        self._told: dict[bytes, str] = {}

    async def run(self) -> None:
        """Look, act, wait."""
        while True:
            try:
                await self.look()
            except (TransientError, ConfigError) as error:
                log.warning("disputes stand still", reason=str(error))
            await self._clock.sleep(self._court.look_s)

    async def look(self) -> None:
        """Do what is due in each dispute; raises TransientError, or ConfigError without gas."""
        for accusation in await self._store.accusations.unfinished():
            try:
                if accusation.dispute is None:
                    await self._open(accusation)
                else:
                    await self._follow(accusation, accusation.dispute)
            except (TransientError, ConfigError) as error:
                if self._told.get(accusation.assignment_hash) != str(error):
                    log.warning("a dispute waits", **_of(accusation), reason=str(error))
                self._told[accusation.assignment_hash] = str(error)
        for dispute in await self._court.live():
            if dispute.coordinator == self._node_id and dispute.dispute_id not in self._known:
                await self._adopt(dispute)
                self._known.add(dispute.dispute_id)
        await self._court.take_bonds_back()

    async def _open(self, accusation: StoredAccusation) -> None:
        assignment = decode_binary(accusation.assignment, Assignment)
        receipt = decode_binary(accusation.receipt, Receipt)
        number = await self._court.about(assignment)
        if number is None:
            if await self._court.now() > assignment.deadline + self._court.report_window_s:
                await self._close(accusation, AccusationState.REFUSED, "the time in which it can be reported is over")
                return
            since = self._clock.now() - COUNTED_S
            if await self._store.accusations.count(accusation.miner_node, since) >= COUNTED:
                log.debug("an accusation waits: others about this miner do", **_of(accusation))
                return
            try:
                number = await self._court.open(
                    (assignment, accusation.assignment_signature), (receipt, accusation.receipt_signature)
                )
            except Reverted as refusal:
                if refusal.name in ("ERC20InsufficientBalance", "ERC20InsufficientAllowance", "DisputeRunning"):
                    raise
                await self._close(accusation, AccusationState.REFUSED, str(refusal))
                return
            log.warning("a miner is accused of a wrong result", **_of(accusation), dispute=number)
        await self._store.writer.execute(self._store.accusations.opened(accusation.assignment_hash, number))

    async def _follow(self, accusation: StoredAccusation, number: int) -> None:
        dispute = await self._court.find(number, decode_binary(accusation.assignment, Assignment))
        if dispute is None:  # a reorganisation took it away
            await self._store.writer.execute(self._store.accusations.lost(accusation.assignment_hash))
            return
        if dispute.phase is Phase.CLAIM:
            await self._court.draw_late(dispute)
        elif dispute.phase is Phase.EXECUTE:
            await self._court.end(dispute)
            dispute = await self._court.contract.dispute(number)
        if dispute.phase is Phase.ENDED:
            result = await self._court.result(dispute)
            convicted = dispute.outcome is Outcome.CONVICTED
            state = AccusationState.CONVICTED if convicted else AccusationState.ENDED
            await self._close(accusation, state, result.words, number)

    async def _close(
        self, accusation: StoredAccusation, state: AccusationState, detail: str, dispute: int | None = None
    ) -> None:
        await self._store.writer.execute(self._store.accusations.close(accusation.assignment_hash, state, detail))
        self._told.pop(accusation.assignment_hash, None)
        tell = log.info if state is AccusationState.CONVICTED else log.warning
        tell(detail, **_of(accusation), dispute=dispute, state=state.value)

    async def _adopt(self, dispute: Dispute) -> None:
        """Keep the evidence of a dispute that somebody else opened about a task of ours."""
        try:
            accused = await self._court.accusation(dispute.dispute_id)
        except InvalidField as fault:
            log.warning("a dispute can not be read", dispute=dispute.dispute_id, reason=str(fault))
            return
        known = await self._store.accusations.about(accused.assignment_hash)
        if known is not None and known.dispute == dispute.dispute_id:
            return
        if known is None:
            try:
                stored = await self._store.tasks.get(accused.task_id)
                attempt = next(one for one in stored.attempts if one.assignment_hash == accused.assignment_hash)
                accusation = NewAccusation.of(attempt, stored.pictures, self._clock.now())
            except (NotFound, StopIteration):
                log.warning(
                    "somebody disputes a task that is not known here any more",
                    task=accused.task_id,
                    dispute=dispute.dispute_id,
                )
                return
            await self._store.writer.execute(self._store.accusations.record(accusation))
        await self._store.writer.execute(self._store.accusations.opened(accused.assignment_hash, dispute.dispute_id))
        log.info(
            "somebody accuses a miner",
            task=accused.task_id,
            miner=dispute.miner,
            accuser=dispute.accuser,
            dispute=dispute.dispute_id,
        )


def _of(accusation: StoredAccusation) -> dict[str, object]:
    assignment = decode_binary(accusation.assignment, Assignment)
    return {"task": assignment.task_id, "attempt": assignment.attempt, "miner": accusation.miner_node}
