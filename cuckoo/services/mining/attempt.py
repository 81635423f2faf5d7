"""One assignment, from its arrival to the coordinator's answer."""

import asyncio
import random
from collections.abc import Awaitable, Callable
from enum import StrEnum
from functools import partial

import structlog

from cuckoo.domain.errors import Conflict, InvalidField, NotFound, PeerFault, TransientError
from cuckoo.domain.identifiers import ModelDigest, NodeId
from cuckoo.domain.task import validate
from cuckoo.inference.faults import OutOfMemory
from cuckoo.inference.messages import Finished
from cuckoo.inference.messages import Progress as StepDone
from cuckoo.inference.pool import Job, JobCancelled, JobRefused, LoadedModel
from cuckoo.protocol.eip712 import Hasher
from cuckoo.protocol.messages import Failure, Progress, ResultUpload, SignedAssignment, encode_binary
from cuckoo.protocol.receipts import Assignment, Receipt
from cuckoo.protocol.signing import check_signed_by
from cuckoo.runtime.clock import Clock
from cuckoo.runtime.retry import backoff_s, retry
from cuckoo.services.mining.connection import BACKOFF_CAP_S, Connection
from cuckoo.services.mining.coordinators import Coordinator
from cuckoo.services.mining.delivery import deliver
from cuckoo.services.mining.latents import KeptLatents
from cuckoo.services.mining.seams import Miner, MiningOptions, Pool, ReceiptStore
from cuckoo.services.mining.waiting import wait_for
from cuckoo.storage.records import NewReceipt

log = structlog.get_logger(__name__)

FAILURE_TRIES = 6
FETCH_TRIES = 4
LAST_WORD_S = 3.0


class FailureKind(StrEnum):
    """Why a miner gives an attempt back."""

    INVALID = "invalid"
    OUT_OF_MEMORY = "out_of_memory"
    WORKER_DIED = "worker_died"
    DEADLINE = "deadline"
    NOT_BACKED = "not_backed"
    NO_INPUT = "no_input"
    SHUTTING_DOWN = "shutting_down"


class InputMissing(PeerFault):
    """What a task is made from could not be had from its coordinator."""

    code = "input_missing"


class AssignmentForged(PeerFault):
    """An assignment that the coordinator's operator did not sign, or one for somebody else."""

    code = "assignment_forged"


def check_signature(signed: SignedAssignment, coordinator: Coordinator, miner: Miner) -> bytes:
    """Check that an assignment is this coordinator's and for this miner.

    Returns:
        The assignment hash, 32 bytes.

    Raises:
        AssignmentForged: it is not; it is not to be answered.
    """
    assignment = signed.assignment
    if assignment.coordinator_node != coordinator.node_id or assignment.miner_node != miner.node_id:
        raise AssignmentForged(
            f"take an assignment: it is from coordinator {assignment.coordinator_node} for miner "
            f"{assignment.miner_node}, not from {coordinator.node_id} for {miner.node_id}"
        )
    try:
        assignment_hash = assignment.struct_hash()
        digest = Hasher(miner.domain).digest(assignment_hash)
        check_signed_by(digest, signed.signature, coordinator.operator, "the assignment's signature")
    except (PeerFault, ValueError, OverflowError) as error:
        raise AssignmentForged(f"take an assignment: {error}") from error
    return assignment_hash


def refusal(assignment: Assignment, loaded: dict[ModelDigest, LoadedModel], now: float) -> Failure | None:
    """Say why a genuine assignment can not be run here, or None when it can."""
    parameters = assignment.parameters
    try:
        validate(parameters)
    except InvalidField as fault:
        return Failure(kind=FailureKind.INVALID, reason=str(fault))
    model = loaded.get(parameters.model_digest)
    if model is None:
        return Failure(kind=FailureKind.INVALID, reason=f"model {parameters.model_digest} is not loaded here")
    if parameters.width_px * parameters.height_px > model.max_pixels:
        reason = f"{parameters.width_px} x {parameters.height_px} pixels: here at most {model.max_pixels:,} fit"
        return Failure(kind=FailureKind.OUT_OF_MEMORY, reason=reason)
    if parameters.steps > model.model.limits.max_steps or parameters.mode not in model.modes:
        offered = f"at most {model.model.limits.max_steps}, {', '.join(model.modes)}"
        reason = f"{parameters.steps} steps, {parameters.mode}: {model.model.name} is offered for {offered}"
        return Failure(kind=FailureKind.INVALID, reason=reason)
    if now >= assignment.deadline:
        return Failure(
            kind=FailureKind.DEADLINE, reason=f"arrived {now - assignment.deadline:.1f} s after its deadline"
        )
    return None


class Attempt:
    """Runs one assignment: progress at every step, cancellation within one, receipt on disk before it leaves."""

    def __init__(  # noqa: PLR0913 - each is a part of its own that the service hands over
        self,
        signed: SignedAssignment,
        assignment_hash: bytes,
        connection: Connection,
        *,
        miner: Miner,
        pool: Pool,
        receipts: ReceiptStore,
        latents: KeptLatents,
        connection_of: Callable[[NodeId], Connection | None],
        worker_died: Callable[[], Awaitable[None]],
        drawn: Callable[[], None],
        delayed: Callable[[], None],
        clock: Clock,
        options: MiningOptions,
    ) -> None:
        """Take a checked assignment.

        ``connection_of`` finds the coordinator again after it has moved; ``worker_died`` is awaited before such an
        attempt is given back; ``drawn`` is called after the last step, when the worker begins the next job while it
        decodes and encodes this one; ``delayed`` is called when the result has to wait for its coordinator.
        """
        self.assignment = assignment = signed.assignment
        self._signed = signed
        self.assignment_hash = assignment_hash
        self.signed_at: float | None = None
        self._first_connection = connection
        self._connection_of = connection_of
        self._worker_died = worker_died
        self._drawn = drawn
        self._delayed = delayed
        self._miner = miner
        self._pool = pool
        self._receipts = receipts
        self._latents = latents
        self._clock = clock
        self._options = options
        self._job_id = f"{assignment.task_id}/{assignment.attempt}/{assignment.coordinator_node}"
        parameters = assignment.parameters
        self._latest = Progress(step=0, steps=parameters.denoising_steps * parameters.pictures)
        self._inputs: tuple[bytes, ...] = ()
        self._news = asyncio.Event()
        self._unwanted = False
        self._late = False
        self._log = log.bind(
            task=assignment.task_id, attempt=assignment.attempt, coordinator=assignment.coordinator_node
        )

    @property
    def _connection(self) -> Connection:
        return self._connection_of(self.assignment.coordinator_node) or self._first_connection

    async def run(self) -> None:
        """Run to the coordinator's answer.

        A cancelled call gives the attempt back, unless its receipt is signed: that one is delivered after a restart.

        Raises:
            FatalError: the receipt could not be written.
        """
        self._news.set()
        reporter = asyncio.create_task(self._report(), name=f"report {self._job_id}")
        try:
            finished = await self._work()
            if finished is None:
                return
            receipt = self._sign(finished)
            stored = await asyncio.shield(asyncio.ensure_future(self._receipts.record(receipt)))
            self.signed_at = stored.signed_at
            await deliver(
                stored, self._receipts, self._latents, self._connection_of, self._clock, on_delay=self._delayed
            )
        finally:
            reporter.cancel()
            await asyncio.wait({reporter})
        if not reporter.cancelled() and (error := reporter.exception()) is not None:
            raise error

    async def _work(self) -> Finished | None:
        """Run the job; None when there is no result, which the coordinator then knows."""
        started = self._clock.monotonic()
        self._log.info("attempt taken", deadline_in_s=round(self.assignment.deadline - self._clock.now(), 1))
        try:
            self._inputs = await self._fetched()
            job = Job(
                job_id=self._job_id,
                parameters=self.assignment.parameters,
                preview_every=self._options.preview_every,
                latents_file=str(self._latents.file(self.assignment_hash)),
                inputs=self._inputs,
            )
            finished = await self._pool.run(job, self._on_step)
        except asyncio.CancelledError:
            await self._last_word()
            raise
        except JobCancelled:
            if self._unwanted:
                self._log.info("attempt cancelled", step=self._latest.step, steps=self._latest.steps)
            else:
                await self.give_back(
                    FailureKind.DEADLINE if self._late else FailureKind.WORKER_DIED,
                    "no worker was free before the deadline" if self._late else "the worker stopped the job",
                )
            return None
        except InputMissing as fault:
            await self.give_back(FailureKind.NO_INPUT, str(fault))
            return None
        except JobRefused as fault:
            await self.give_back(FailureKind.INVALID, str(fault))
            return None
        except OutOfMemory as error:
            await self.give_back(FailureKind.OUT_OF_MEMORY, str(error))
            return None
        except TransientError as error:
            await self._worker_died()
            await self.give_back(FailureKind.WORKER_DIED, str(error))
            return None
        self._log.info("attempt done", seconds=round(self._clock.monotonic() - started, 2))
        return finished

    async def _fetched(self) -> tuple[bytes, ...]:
        """Get what the task is made from besides its text; raises InputMissing."""
        fetched = []
        for digest in self.assignment.parameters.inputs:
            try:
                payload = await retry(
                    partial(self._input, digest),
                    clock=self._clock,
                    tries=FETCH_TRIES,
                    cap_s=BACKOFF_CAP_S,
                )
            except (TransientError, PeerFault) as error:
                raise InputMissing(str(error)) from error
            fetched.append(payload)
        if self._unwanted or self._late:
            raise JobCancelled("fetching inputs: the attempt ended")
        return tuple(fetched)

    async def _input(self, digest: bytes) -> bytes:
        return await self._connection.input(self.assignment.task_id, self.assignment.attempt, digest)

    def _on_step(self, done: StepDone) -> None:
        asked = self._latest.steps  # some schedulers take a step more than they are asked for
        self._latest = Progress(step=done.step * asked // done.steps, steps=asked, preview=done.preview_png)
        self._news.set()
        if done.step == done.steps:
            self._drawn()

    async def _report(self) -> None:
        """Send the newest step, one report at a time; without news a sign of life."""
        failures = 0
        while True:
            await wait_for(self._news, self._clock, self._options.progress_s)
            self._news.clear()
            if self._latest.step == 0 and self._clock.now() >= self.assignment.deadline:
                self._late = True
                self._pool.cancel(self._job_id)
            try:
                reply = await self._connection.progress(self.assignment.task_id, self.assignment.attempt, self._latest)
            except (NotFound, Conflict) as fault:
                self._log.info("attempt is not wanted any more", reason=str(fault))
                self._stop()
                return
            except (TransientError, PeerFault) as error:
                self._log.debug("progress not sent", reason=str(error))
                await self._clock.sleep(backoff_s(failures, cap_s=self._options.progress_s, draw=random.random))
                failures += 1
                continue
            failures = 0
            if reply.cancelled:
                kept = asyncio.ensure_future(self._connection.accept_part(self.assignment, reply))
                self._stop()
                await asyncio.shield(kept)
                return

    def _stop(self) -> None:
        self._unwanted = True
        self._pool.cancel(self._job_id)

    def _sign(self, finished: Finished) -> NewReceipt:
        receipt = Receipt(
            assignment_hash=self.assignment_hash,
            picture_hashes=tuple(finished.picture_hashes),
            latents_root=finished.latents_root,
            profile=finished.profile,
            finished_at=int(self._clock.now()),
        )
        signature = self._miner.signer.sign(Hasher(self._miner.domain).digest(receipt.struct_hash()))
        upload = ResultUpload(receipt=receipt, signature=signature, pictures=tuple(finished.pictures))
        return NewReceipt(
            assignment_hash=self.assignment_hash,
            coordinator_node=self.assignment.coordinator_node,
            task_id=self.assignment.task_id,
            attempt=self.assignment.attempt,
            sequence=self.assignment.sequence,
            receipt=encode_binary(receipt),
            signature=signature,
            result=encode_binary(upload),
            signed_at=self._clock.now(),
            price_wei=self.assignment.price,
            model=self.assignment.parameters.model_digest,
            assignment=encode_binary(self._signed),
            inputs=self._inputs,
        )

    async def give_back(self, kind: str, reason: str) -> None:
        """Report that there will be no result, with some patience: silence would cost the task 20 s."""
        self._log.warning("attempt given back", kind=str(kind), reason=reason)
        failure = Failure(kind=str(kind), reason=reason[:500])
        assignment = self.assignment
        try:
            await retry(
                lambda: self._connection.fail(assignment.task_id, assignment.attempt, failure),
                clock=self._clock,
                tries=FAILURE_TRIES,
                cap_s=BACKOFF_CAP_S,
            )
        except (TransientError, PeerFault) as error:
            self._log.info("failure not reported", reason=str(error))

    async def _last_word(self) -> None:
        """This process ends: say so, within the little time there is."""
        if self._unwanted:
            return
        try:
            await asyncio.wait_for(self.give_back(FailureKind.SHUTTING_DOWN, "the miner is shutting down"), LAST_WORD_S)
        except TimeoutError:
            self._log.info("failure not reported", reason="no time left")
