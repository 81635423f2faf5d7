"""Chooses results, has them or a step of them made again, and pays or refuses them."""

import asyncio
import secrets
from collections.abc import Callable, Collection, Sequence
from contextlib import suppress
from typing import Any, Protocol

import structlog
from msgspec.structs import replace

from cuckoo.domain.amounts import Wei
from cuckoo.domain.errors import Conflict, CuckooError, FatalError, NotFound
from cuckoo.domain.identifiers import NodeId, TaskId
from cuckoo.domain.node import Node
from cuckoo.domain.task import TaskParameters
from cuckoo.domain.tolerance import Likeness
from cuckoo.protocol.likeness import compare
from cuckoo.protocol.messages import Challenge, ChallengeAnswer, decode_binary, encode_binary
from cuckoo.protocol.receipts import Receipt
from cuckoo.runtime.clock import Clock
from cuckoo.services.auditing import steps
from cuckoo.services.auditing.judging import Work, outvoted
from cuckoo.services.auditing.sampling import Sample
from cuckoo.storage.accusations import NewAccusation
from cuckoo.storage.audits import Audit, AuditState, NewAudit
from cuckoo.storage.records import AttemptState, Entry, StoredTask
from cuckoo.storage.store import Store
from cuckoo.storage.writer import Command, together

log = structlog.get_logger(__name__)

OPINIONS_MAX = 3
AT_ONCE = 8
LOOK_S = 1.0
PATIENCE_S = 120.0
"""So long an opinion may wait for somebody who could give it."""

VERDICT_S = 20.0
"""So long whoever answers a challenge is kept waiting for what comes of it."""

_COMMIT_S = 2.0
"""After the end of a challenge's time, so that an answer of the last moment is on disk before it is missed."""


class Workshop(Protocol):
    """Where work is given out, and who is who."""

    def anybody(self, parameters: TaskParameters, avoid: Collection[NodeId]) -> bool:
        """Tell whether a miner that is none of ``avoid`` is there and serves the model."""

    async def make_again(
        self,
        parameters: TaskParameters,
        price_wei: Wei,
        avoid: Collection[NodeId],
        note: Callable[[TaskId], Command[None]],
    ) -> TaskId:
        """Give a task out to a miner that is none of ``avoid``; ``note`` is written in the same commit."""

    async def withdraw(self, task_id: TaskId) -> None:
        """Take such a task back."""

    def disproved(self, miner: NodeId) -> None:
        """Let a miner's health fall: a result of it was wrong."""

    def miners(self) -> Collection[Node]:
        """Return the registered miners."""


class Payer(Protocol):
    """Who owes miners for results."""

    def owe(
        self, miner: NodeId, task_id: TaskId, attempt: int, kind: str, amount_wei: Wei, at: float
    ) -> Command[Entry]:
        """Owe a miner for an attempt; the command books it."""

    def committed(self, miner: NodeId, amount_wei: Wei) -> None:
        """Note that what ``owe`` booked is on disk."""

    def hold(self, miner: NodeId, amount_wei: int) -> None:
        """Keep so much free for a miner; less than 0 ends that."""


class OwnDevice(steps.StepDevice, Protocol):
    """A device of the coordinator's own. Raises CuckooError when it can not."""

    async def make(self, parameters: TaskParameters, inputs: tuple[bytes, ...]) -> Work:
        """Make a task's pictures; ``inputs`` are what the parameters name, in the same order."""


class Auditing:
    """Audits until cancelled. What is interrupted goes on after a restart: audits and their tasks are on disk."""

    def __init__(
        self,
        store: Store,
        workshop: Workshop,
        payer: Payer,
        *,
        probability: float,
        device: OwnDevice | None,
        clock: Clock,
        secret: bytes = b"",
        disputes: bool = False,
    ) -> None:
        """Take what it works with; call ``open`` before anything else.

        Args:
            store: where audits, tasks and pictures lie.
            workshop: gives tasks to miners.
            payer: pays what passes.
            probability: of a healthy miner's result to be checked, 0..1.
            device: our own; None to have other miners do it.
            clock: time.
            secret: decides with a result's receipt whether it is checked; random unless given.
            disputes: record an accusation of each miner that was found wrong, with the same commit.
        """
        self._store = store
        self._workshop = workshop
        self._payer = payer
        self._device = device
        self._clock = clock
        self._secret = secret or secrets.token_bytes(32)
        self._disputes = disputes
        self.sample = Sample(probability, self._secret)
        self._waiting: dict[tuple[TaskId, int], asyncio.Event] = {}
        self._news = asyncio.Event()

    async def open(self) -> None:
        """Read how miners did so far, keep the price of what is being checked free, and give time to answer anew."""
        for node, count in (await self._store.audits.passed_since_failed()).items():
            self.sample.found_right(node, count)
        for audit in await self._store.audits.all_open():
            self._payer.hold(audit.miner_node, audit.price_wei)
            self._waiting[audit.task_id, audit.attempt] = asyncio.Event()
            if audit.challenge is not None and audit.answer is None:
                again = replace(audit.challenge, deadline=self._deadline())
                await self._store.writer.execute(self._store.audits.ask(audit.audit_id, again))

    def _deadline(self) -> int:
        return int(self._clock.now()) + steps.ANSWER_S

    # What dispatch asks.

    def chosen(self, miner: NodeId, receipt: bytes, health: float, suspicious: bool) -> bool:
        """Tell whether a result is to be checked; see :class:`Sample`."""
        return self.sample.chosen(miner, receipt, health, suspicious)

    def challenge(self, parameters: TaskParameters, receipt: bytes, suspicious: bool) -> Challenge | None:
        """Return what the miner of a chosen result has to show of one step; None when all of it is made again."""
        if self._device is None or suspicious:
            return None
        return steps.question(parameters, receipt, self._device, self._secret, self._deadline())

    def opened(self, task_id: TaskId, attempt: int) -> None:
        """Take note that a result waits to be checked, and that this is on disk."""
        self._waiting[task_id, attempt] = asyncio.Event()
        self._news.set()

    async def answer(self, miner: NodeId, audit_id: int, answer: ChallengeAnswer) -> tuple[TaskId, int]:
        """Keep the first answer to a challenge, and wait for what comes of it, though not for long.

        Returns:
            Task and attempt that it is about.

        Raises:
            NotFound: this miner was not asked that.
            Conflict: too late.
        """
        audit = await self._store.audits.get(audit_id)
        if audit is None or audit.challenge is None or audit.miner_node != miner:
            raise NotFound(f"take an answer: challenge {audit_id} was not put to miner {miner}")
        if audit.state is AuditState.OPEN and audit.answer is None:
            if self._clock.now() > audit.challenge.deadline:
                raise Conflict(f"take an answer: challenge {audit_id} was to be answered in {steps.ANSWER_S} s")
            await self._store.writer.execute(self._store.audits.answer(audit_id, encode_binary(answer)))
            self._news.set()
        closed = self._waiting.get((audit.task_id, audit.attempt))
        if closed is not None:
            with suppress(TimeoutError):
                async with asyncio.timeout(VERDICT_S):
                    await closed.wait()
        return audit.task_id, audit.attempt

    def waits(self, task_id: TaskId, attempt: int) -> bool:
        """Tell whether a result is being checked now."""
        return (task_id, attempt) in self._waiting

    # The service.

    async def run(self) -> None:
        """Check what is to be checked, until cancelled.

        Raises:
            FatalError: the disk refuses.
        """
        working: dict[int, asyncio.Task[None]] = {}
        try:
            while True:
                self._news.clear()
                for number, task in list(working.items()):
                    if task.done():
                        working.pop(number).result()
                for audit in await self._store.audits.all_open():
                    if audit.audit_id not in working and len(working) < AT_ONCE and self._ripe(audit):
                        working[audit.audit_id] = asyncio.create_task(self._audit(audit))
                sleep = asyncio.ensure_future(self._clock.sleep(LOOK_S))
                news = asyncio.ensure_future(self._news.wait())
                try:
                    await asyncio.wait({sleep, news, *working.values()}, return_when=asyncio.FIRST_COMPLETED)
                finally:
                    sleep.cancel()
                    news.cancel()
        finally:
            for task in working.values():
                task.cancel()
            await asyncio.gather(*working.values(), return_exceptions=True)

    def _ripe(self, audit: Audit) -> bool:
        """Tell whether there is something to do: not while a miner has time to answer."""
        asked = audit.challenge
        return asked is None or audit.answer is not None or self._clock.now() > asked.deadline + _COMMIT_S

    async def _audit(self, audit: Audit) -> None:
        try:
            stored = await self._store.tasks.get(audit.task_id)
            original = await self._work(stored, audit.attempt)
        except NotFound as error:
            await self._finish(audit, AuditState.UNDECIDED, str(error))
            return
        parameters = decode_binary(stored.parameters, TaskParameters)
        if audit.challenge is not None:
            likeness, detail = await self._step(audit, audit.challenge, parameters, original)
            if likeness is not Likeness.UNCLEAR:
                state = AuditState.PASSED if likeness is Likeness.SAME else AuditState.FAILED
                proven = likeness is Likeness.DIFFERENT and await self._proven(parameters, original)
                await self._finish(audit, state, detail, accuse=proven)
                return
            log.info("one step does not tell", task=audit.task_id, attempt=audit.attempt, reason=detail)
        opinions: list[Work] = []
        if self._device is not None and (own := await self._own(parameters)) is not None:
            opinions.append(own)
        asked = list(audit.opinions)
        while True:
            likeness, alone = outvoted(original, opinions)
            if likeness is Likeness.SAME:
                await self._finish(audit, AuditState.PASSED, "")
                if alone is not None:
                    await self._disprove(alone)
                return
            if likeness is Likeness.DIFFERENT:
                others = ", ".join("this coordinator" if one.by is None else f"miner {one.by}" for one in opinions)
                await self._finish(
                    audit, AuditState.FAILED, f"made again by {others}: other pixels or latents", accuse=True
                )
                return
            if len(opinions) >= OPINIONS_MAX:
                await self._finish(audit, AuditState.UNDECIDED, "the others do not agree with each other")
                return
            work = await self._opinion(audit, parameters, asked, [original, *opinions])
            if work is None:
                await self._finish(audit, AuditState.UNDECIDED, "nobody else could make it")
                return
            opinions.append(work)

    async def _step(
        self, audit: Audit, challenge: Challenge, parameters: TaskParameters, original: Work
    ) -> tuple[Likeness, str]:
        """Check one step; UNCLEAR when the whole has to be made again."""
        if audit.answer is None:
            asked = f"step {challenge.step} of picture {challenge.picture}"
            return Likeness.DIFFERENT, f"asked for {asked}, it showed no latents within {steps.ANSWER_S} s"
        if self._device is None:
            return Likeness.UNCLEAR, "there is no device of our own any more"
        answer = await self._store.blobs.get(audit.answer)
        try:
            return await steps.judge(challenge, answer, parameters, original, self._device)
        except FatalError:
            raise
        except CuckooError as error:
            return Likeness.UNCLEAR, str(error)

    async def _proven(self, parameters: TaskParameters, original: Work) -> bool:
        """Tell whether a jury would see it too: jurors make the whole again, and know nothing of a challenge."""
        own = await self._own(parameters)
        return own is not None and compare(original, own) is Likeness.DIFFERENT

    async def _own(self, parameters: TaskParameters) -> Work | None:
        assert self._device is not None
        try:
            inputs = tuple([await self._store.blobs.get(digest, withheld=True) for digest in parameters.inputs])
            return await self._device.make(parameters, inputs)
        except FatalError:
            raise
        except CuckooError as error:
            log.warning("own device did not make a result again", reason=str(error))
            return None

    async def _opinion(
        self, audit: Audit, parameters: TaskParameters, asked: list[TaskId], known: Sequence[Work]
    ) -> Work | None:
        """Get one more opinion: of a task given out before a restart, or of a new one; None when nobody gives it."""
        seen = sum(work.by is not None for work in known) - 1
        if seen >= len(asked):
            parties = {work.by for work in known} | {audit.miner_node}
            owners = {node.owner for node in self._workshop.miners() if node.node_id in parties}
            avoid = [node.node_id for node in self._workshop.miners() if node.owner in owners]
            if not self._workshop.anybody(parameters, avoid):
                return None
            number = len(asked)

            def note(task_id: TaskId) -> Command[None]:
                return self._store.audits.add_opinion(audit.audit_id, number, task_id)

            asked.append(await self._workshop.make_again(parameters, audit.price_wei, avoid, note))
        return await self._awaited(asked[seen])

    async def _awaited(self, task_id: TaskId) -> Work | None:
        """Wait for an opinion."""
        until = self._clock.monotonic() + PATIENCE_S
        while True:
            stored = await self._store.tasks.get(task_id)
            if stored.status.final:
                done = next((one for one in stored.attempts if one.state is AttemptState.DONE), None)
                return None if done is None else await self._work(stored, done.attempt)
            if self._clock.monotonic() > until and not stored.attempts:
                await self._workshop.withdraw(task_id)
            await self._clock.sleep(LOOK_S)

    async def _work(self, stored: StoredTask, number: int) -> Work:
        attempt = stored.attempts[number - 1]
        if attempt.receipt is None:
            raise NotFound(f"read attempt {number} of task {stored.task_id}: it brought no result")
        receipt = decode_binary(attempt.receipt, Receipt)
        return Work(
            by=attempt.miner_node,
            task_id=stored.task_id,
            attempt=number,
            profile=receipt.profile,
            picture_hashes=receipt.picture_hashes,
            latents_root=receipt.latents_root,
            pictures=tuple([await self._store.blobs.get(digest, withheld=True) for digest in stored.pictures]),
        )

    async def _finish(self, audit: Audit, state: AuditState, detail: str, *, accuse: bool = False) -> None:
        now = self._clock.now()
        commands: list[Command[Any]] = [self._store.audits.close(audit.audit_id, state, detail, now)]
        if accuse:
            commands += await self._accusation(audit.task_id, audit.attempt)
        if state is not AuditState.FAILED and audit.price_wei:
            owed = self._payer.owe(audit.miner_node, audit.task_id, audit.attempt, "result", audit.price_wei, now)
            commands.append(owed)
        await self._store.writer.execute(together(*commands))
        if state is not AuditState.FAILED:
            self._payer.committed(audit.miner_node, audit.price_wei)
        self._payer.hold(audit.miner_node, -audit.price_wei)
        self._waiting.pop((audit.task_id, audit.attempt), asyncio.Event()).set()
        if state is AuditState.PASSED:
            self.sample.found_right(audit.miner_node)
        elif state is AuditState.FAILED:
            self._distrust(audit.miner_node)
        tell = log.warning if state is AuditState.FAILED else log.info
        tell(
            "result checked",
            state=state.value,
            task=audit.task_id,
            attempt=audit.attempt,
            miner=audit.miner_node,
            detail=detail,
        )

    def _distrust(self, miner: NodeId) -> None:
        """Let a miner begin anew, as one that nothing is known of."""
        self.sample.found_wrong(miner)
        self._workshop.disproved(miner)

    async def _disprove(self, wrong: Work) -> None:
        """Note that the one who gave a wrong opinion is the one at fault."""
        if wrong.by is None or wrong.task_id is None:
            return
        audit = NewAudit(
            task_id=wrong.task_id,
            attempt=wrong.attempt,
            miner_node=wrong.by,
            price_wei=Wei(0),
            opened_at=self._clock.now(),
        )
        detail = "made to check another's result: other pixels or latents than both others"
        added = self._store.audits.add(audit, AuditState.FAILED, detail)
        await self._store.writer.execute(together(added, *await self._accusation(wrong.task_id, wrong.attempt)))
        self._distrust(wrong.by)
        log.warning(
            "result checked",
            state="failed",
            task=wrong.task_id,
            attempt=wrong.attempt,
            miner=wrong.by,
            detail=detail,
        )

    async def _accusation(self, task_id: TaskId, number: int) -> list[Command[None]]:
        """Make what records an accusation of who brought a result; nothing where none is wanted."""
        if not self._disputes:
            return []
        stored = await self._store.tasks.get(task_id)
        attempt = stored.attempts[number - 1]
        return [self._store.accusations.record(NewAccusation.of(attempt, stored.pictures, self._clock.now()))]
