"""A miner as a juror: takes the seats that the lottery gives it, makes the task again, commits, reveals, is paid.

And as the accused: it shows jurors the task.
"""

import asyncio
import random
import secrets
from collections.abc import Callable

import structlog

from cuckoo.chain.disputes import Dispute, Seats
from cuckoo.chain.reverts import Reverted
from cuckoo.domain.amounts import format_cai
from cuckoo.domain.dispute import Phase, Verdict, coherent_with, finable
from cuckoo.domain.errors import ConfigError, InvalidField, NotFound, PeerFault, TransientError
from cuckoo.domain.identifiers import NodeId
from cuckoo.protocol.messages import EvidenceUpload, ResultUpload, SignedAssignment, decode_binary
from cuckoo.runtime.clock import Clock
from cuckoo.services.disputing.court import Court
from cuckoo.services.disputing.opinion import NO_DIGEST, Opinions
from cuckoo.storage.store import Store
from cuckoo.storage.verdicts import NewVerdict, StoredVerdict

log = structlog.get_logger(__name__)

LAST_PART = 0.25
"""Who knows nothing when this part of the time to commit is left abstains: silence costs stake."""

LOOKS_BEFORE_ENDING = 3
"""Who accuses ends a dispute first; jurors do it, one after the other by chance, when nobody has."""

_Key = tuple[int, int]


class Jury:
    """Judges until cancelled.

    What a juror says, and the salt, are on disk before they are committed to; the seats and everything else are on
    chain: a restart goes on where the process died, and reveals the same verdict.
    """

    def __init__(
        self,
        node_id: NodeId,
        store: Store,
        court: Court,
        opinions: Opinions,
        *,
        clock: Clock,
        judges: bool = True,
        draw: Callable[[], float] = random.random,
    ) -> None:
        """Take what it works with.

        Args:
            node_id: the miner.
            store: keeps its verdicts.
            court: the contract, through the operator's wallet.
            opinions: finds out about results.
            clock: time.
            judges: whether it takes seats; else it only defends itself.
            draw: a random number in 0..1.
        """
        self._node_id = node_id
        self._store = store
        self._court = court
        self._opinions = opinions
        self._clock = clock
        self._draw = draw
        self._judges = judges
        self._defended: set[int] = set()
        self._passed_over: set[_Key] = set()
        self._working: dict[_Key, asyncio.Task[None]] = {}
        self._overdue: dict[int, float] = {}

    async def run(self) -> None:
        """Look, act, wait.

        Raises:
            FatalError: the disk refuses.
        """
        try:
            while True:
                try:
                    await self.look()
                except (TransientError, ConfigError) as error:
                    log.warning("disputes stand still", reason=str(error))
                await self._clock.sleep(self._court.look_s)
        finally:
            await self._stop()

    async def _stop(self) -> None:
        for work in self._working.values():
            work.cancel()
        await asyncio.gather(*self._working.values(), return_exceptions=True)
        self._working.clear()

    async def look(self) -> None:
        """Do what is due in each dispute; raises TransientError, or ConfigError without gas."""
        for key, work in list(self._working.items()):
            if work.done():
                del self._working[key]
                self._finished(key, work)
        for dispute in await self._court.live():
            try:
                if dispute.miner == self._node_id:
                    await self._defend(dispute)
                elif self._judges:
                    await self._attend(dispute)
            except (TransientError, ConfigError, PeerFault) as error:
                log.warning("a dispute waits", dispute=dispute.dispute_id, reason=str(error))
        for said in await self._store.verdicts.unsettled():
            try:
                await self._settle(said)
            except (TransientError, ConfigError) as error:
                log.warning("seats are not settled yet", dispute=said.dispute, reason=str(error))

    async def _defend(self, dispute: Dispute) -> None:
        """Show jurors the task that this miner is accused for: without it they can not say that it is right."""
        if dispute.dispute_id in self._defended:
            return
        accused = await self._court.accusation(dispute.dispute_id)
        stored = await self._store.receipts.get(accused.assignment_hash)
        if stored is None or not stored.assignment:
            log.warning(
                "this miner is accused, and has no receipt of that task",
                dispute=dispute.dispute_id,
                task=accused.task_id,
            )
            self._defended.add(dispute.dispute_id)
            return
        try:
            signed = decode_binary(stored.assignment, SignedAssignment)
            result = decode_binary(await self._store.receipts.result(stored), ResultUpload)
            inputs = await self._store.receipts.inputs(signed.assignment.parameters.inputs)
        except NotFound as error:
            log.warning(
                "this miner is accused of an old result",
                dispute=dispute.dispute_id,
                task=stored.task_id,
                reason=str(error),
            )
            self._defended.add(dispute.dispute_id)
            return
        evidence = EvidenceUpload(assignment=signed, result=result, inputs=inputs)
        if shown := await self._opinions.show(dispute, accused, evidence):
            log.warning("this miner is accused", dispute=dispute.dispute_id, task=stored.task_id, shown_at=shown)
            self._defended.add(dispute.dispute_id)

    @staticmethod
    def _finished(key: _Key, work: asyncio.Task[None]) -> None:
        if work.cancelled():
            return
        try:
            work.result()
        except (TransientError, ConfigError) as error:
            log.warning("no opinion yet", dispute=key[0], reason=str(error))

    async def _attend(self, dispute: Dispute) -> None:
        number = dispute.rounds - 1
        if (dispute.dispute_id, number) in self._passed_over:
            return
        seats = await self._court.contract.seats(dispute.dispute_id, number, self._node_id)
        if dispute.phase is Phase.CLAIM and not seats.seats:
            seats = await self._claim(dispute, number)
        if not seats.seats:
            if dispute.phase is not Phase.CLAIM:
                self._passed_over.add((dispute.dispute_id, number))
        elif dispute.phase is Phase.CLAIM:
            await self._begin(dispute, seats)
        elif dispute.phase is Phase.COMMIT and not seats.committed:
            await self._commit(dispute, seats)
        elif dispute.phase is Phase.REVEAL and seats.committed and seats.verdict is Verdict.NONE:
            await self._reveal(dispute)
        elif dispute.phase is Phase.EXECUTE:
            await self._end(dispute)

    async def _claim(self, dispute: Dispute, number: int) -> Seats:
        """Take the seats that there are for this miner."""
        contract, dispute_id = self._court.contract, dispute.dispute_id
        try:
            won = await contract.seats_won(self._court.sender.address, dispute_id, self._node_id)
        except Reverted as refusal:
            if refusal.name == "SeedUnknown":
                await self._court.draw_late(dispute)
            elif refusal.name != "PhaseWrong":
                log.debug("no seats", dispute=dispute_id, reason=str(refusal))
                self._passed_over.add((dispute_id, number))
            return await contract.seats(dispute_id, number, self._node_id)
        await contract.claim_seats(self._court.sender, dispute_id, self._node_id, once=f"round {number}")
        log.info("judges a result", dispute=dispute_id, miner=dispute.miner, seats=won)
        return await contract.seats(dispute_id, number, self._node_id)

    # What it says.

    async def _begin(self, dispute: Dispute, seats: Seats) -> None:
        """Find out about the result, unless that is done or under way."""
        key = (dispute.dispute_id, dispute.rounds - 1)
        if key not in self._working and await self._said(dispute) is None:
            self._working[key] = asyncio.create_task(self._judge(dispute, seats), name=f"dispute {key[0]}")

    async def _judge(self, dispute: Dispute, seats: Seats) -> None:
        earlier = await self._store.verdicts.get(dispute.fault_id, dispute.dispute_id, 0)
        verdict, digest = Verdict(Verdict.ABSTAIN), NO_DIGEST
        if earlier is not None and earlier.verdict is not Verdict.ABSTAIN:
            verdict, digest = earlier.verdict, earlier.digest
        else:
            try:
                verdict, digest = await self._opinions.form(dispute, await self._court.accusation(dispute.dispute_id))
            except InvalidField as fault:
                log.info("abstains: the evidence can not be read", dispute=dispute.dispute_id, reason=str(fault))
        await self._say(dispute, seats, verdict, digest)

    async def _said(self, dispute: Dispute) -> StoredVerdict | None:
        return await self._store.verdicts.get(dispute.fault_id, dispute.dispute_id, dispute.rounds - 1)

    async def _say(self, dispute: Dispute, seats: Seats, verdict: Verdict, digest: bytes) -> StoredVerdict:
        """Put a verdict on disk; returns the one that holds."""
        said = NewVerdict(
            fault_id=dispute.fault_id,
            dispute=dispute.dispute_id,
            round=dispute.rounds - 1,
            miner=dispute.miner,
            seats=seats.seats,
            verdict=verdict,
            digest=digest,
            salt=secrets.token_bytes(32),
            at=self._clock.now(),
        )
        return await self._store.writer.execute(self._store.verdicts.record(said))

    async def _commit(self, dispute: Dispute, seats: Seats) -> None:
        said = await self._said(dispute)
        if said is None:
            if dispute.phase_ends - await self._court.now() > self._court.commit_s * LAST_PART:
                await self._begin(dispute, seats)
                return
            log.warning("abstains: nothing is known in time", dispute=dispute.dispute_id)
            said = await self._say(dispute, seats, Verdict.ABSTAIN, NO_DIGEST)
        if (work := self._working.pop((said.dispute, said.round), None)) is not None:
            work.cancel()
            await asyncio.wait({work})
            self._finished((said.dispute, said.round), work)
        await self._court.commit(said, self._node_id)
        log.info("verdict committed", dispute=said.dispute, seats=seats.seats)

    async def _reveal(self, dispute: Dispute) -> None:
        said = await self._said(dispute)
        if said is None:
            log.error("a verdict was committed with other data: it can not be revealed", dispute=dispute.dispute_id)
            self._passed_over.add((dispute.dispute_id, dispute.rounds - 1))
            return
        await self._court.reveal(said, self._node_id)
        log.info("verdict revealed", dispute=said.dispute, verdict=said.verdict.words, seats=said.seats)

    # The end.

    async def _end(self, dispute: Dispute) -> None:
        """End a dispute that nobody has ended."""
        wait_s = self._court.look_s * LOOKS_BEFORE_ENDING * (1 + 2 * self._draw())
        since = self._overdue.setdefault(dispute.dispute_id, self._clock.monotonic())
        if self._clock.monotonic() - since >= wait_s:
            await self._court.end(dispute)

    async def _settle(self, said: StoredVerdict) -> None:
        """Take what was earned by saying what came out, once the dispute is over."""
        dispute = await self._court.same(said.dispute, said.fault_id)
        if dispute is None:
            await self._store.writer.execute(self._store.verdicts.settle(said, "the chain does not have it any more"))
            return
        if dispute.phase is not Phase.ENDED:
            return
        seats = await self._court.contract.seats(said.dispute, said.round, self._node_id)
        outcome = f"said {said.verdict.words}"
        if seats.verdict is Verdict.NONE:
            outcome = "was silent: two fees a seat can be taken"
        elif seats.verdict is coherent_with(dispute.outcome):
            if not seats.settled:
                await self._court.contract.settle_juror(self._court.sender, said.dispute, said.round, self._node_id)
            await self._court.fine(dispute)
            outcome += f", earned {format_cai(seats.seats * dispute.fee_wei)} CAI"
        elif finable(seats.verdict, dispute.outcome):
            outcome += ", was outvoted: two fees a seat can be taken"
        result = await self._court.result(dispute)
        await self._store.writer.execute(self._store.verdicts.settle(said, outcome))
        self._overdue.pop(said.dispute, None)
        log.info(result.words, dispute=said.dispute, juror=outcome)
