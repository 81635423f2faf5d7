"""What a juror finds out about a disputed result: it makes the task again, and compares."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from typing import Protocol, TypeVar

import structlog

from cuckoo.chain.disputelog import Accusation
from cuckoo.chain.disputes import Dispute
from cuckoo.domain.dispute import Verdict
from cuckoo.domain.errors import CuckooError, FatalError, InvalidField, TransientError
from cuckoo.domain.identifiers import ModelDigest, NodeId
from cuckoo.domain.keccak import keccak256
from cuckoo.domain.task import TaskParameters, validate
from cuckoo.domain.tolerance import Likeness
from cuckoo.inference.faults import OutOfMemory
from cuckoo.inference.messages import Finished
from cuckoo.inference.pool import Job, JobRefused, LoadedModel
from cuckoo.protocol.inputs import input_hash
from cuckoo.protocol.likeness import Made, compare
from cuckoo.protocol.messages import EvidenceUpload
from cuckoo.protocol.pictures import check_pictures
from cuckoo.protocol.views import EvidenceView
from cuckoo.runtime.clock import Clock

log = structlog.get_logger(__name__)

T = TypeVar("T")

NO_DIGEST = bytes(32)
AGAIN_S = 2.0
_VERDICTS = {
    Likeness.SAME: Verdict.NOT_GUILTY,
    Likeness.DIFFERENT: Verdict.GUILTY,
    Likeness.UNCLEAR: Verdict.ABSTAIN,
}


class Pool(Protocol):
    """The worker pool; see :class:`cuckoo.inference.pool.WorkerPool`."""

    ready: asyncio.Event

    async def run(self, job: Job) -> Finished:
        """Run a job."""

    def loaded(self) -> dict[ModelDigest, LoadedModel]:
        """Return the models in memory."""


class EvidenceLink(Protocol):
    """HTTP calls to one coordinator; all raise CoordinatorUnreachable, or the PeerFault that was answered."""

    async def evidence(self, dispute: int) -> EvidenceView:
        """Read what a dispute is about."""

    async def evidence_picture(self, dispute: int, digest: bytes) -> bytes:
        """Read one of its pictures."""

    async def evidence_input(self, dispute: int, digest: bytes) -> bytes:
        """Read something that it was made from."""

    async def file_evidence(self, dispute: int, evidence: EvidenceUpload) -> None:
        """Show jurors a task."""

    async def close(self) -> None:
        """Close its connections."""


class Opinions:
    """Makes disputed results again, in the miner's own workers, as ordinary jobs."""

    def __init__(
        self,
        pool: Pool,
        *,
        origins: Callable[[NodeId], Sequence[str]],
        connect: Callable[[str], EvidenceLink],
        clock: Clock,
    ) -> None:
        """Take what it works with.

        Args:
            pool: runs the tasks.
            origins: where the evidence of a coordinator's task may be, that coordinator first.
            connect: makes the calls to an origin.
            clock: time.
        """
        self._pool = pool
        self._origins = origins
        self._connect = connect
        self._clock = clock

    async def form(self, dispute: Dispute, accused: Accusation) -> tuple[Verdict, bytes]:
        """Make a disputed result again; tries until cancelled where evidence is missing or workers die.

        Returns:
            The verdict, and the digest of what came out here; zeros where nothing did.
        """
        view = await self._evidence(dispute, accused)
        parameters = view.signed.assignment.parameters
        name = f"dispute {dispute.dispute_id}/{dispute.rounds}"
        log.info("a disputed task is made again", dispute=dispute.dispute_id, task=accused.task_id)
        finished = await self._make(dispute, parameters, name)
        if finished is None:
            return Verdict.ABSTAIN, NO_DIGEST
        own = Made(
            profile=finished.profile,
            picture_hashes=tuple(finished.picture_hashes),
            latents_root=finished.latents_root,
            pictures=tuple(finished.pictures),
        )
        digest = keccak256(b"".join(own.picture_hashes) + own.latents_root)
        receipt = accused.receipt
        pictures: tuple[bytes, ...] = ()
        countable = len(receipt.picture_hashes) == len(own.picture_hashes)
        if countable and receipt.profile != own.profile and receipt.picture_hashes != own.picture_hashes:
            pictures = await self._pictures(dispute, accused, parameters)
        theirs = Made(
            profile=receipt.profile,
            picture_hashes=receipt.picture_hashes,
            latents_root=receipt.latents_root,
            pictures=pictures,
        )
        likeness = await asyncio.to_thread(compare, theirs, own)
        return _VERDICTS[likeness], digest

    async def _make(self, dispute: Dispute, parameters: TaskParameters, name: str) -> Finished | None:
        """Run the task; None where it can not be run here."""
        await self._pool.ready.wait()
        loaded = self._pool.loaded().get(parameters.model_digest)
        try:
            validate(parameters)
        except InvalidField as fault:
            log.info("abstains: no task of this network", dispute=name, reason=str(fault))
            return None
        if loaded is None or parameters.width_px * parameters.height_px > loaded.max_pixels:
            log.info("abstains: this task can not be run here", dispute=name, model=parameters.model_digest)
            return None
        inputs = tuple([await self._input(dispute, digest) for digest in parameters.inputs])
        while True:
            try:
                return await self._pool.run(Job(job_id=name, parameters=parameters, inputs=inputs))
            except (JobRefused, OutOfMemory) as error:
                log.info("abstains: this task can not be run here", dispute=name, reason=str(error))
                return None
            except TransientError as error:
                log.warning("a disputed task is run again", dispute=name, reason=str(error))
            await self._clock.sleep(AGAIN_S)

    async def _input(self, dispute: Dispute, digest: bytes) -> bytes:
        """Get what the task names by this hash."""
        while True:
            for origin in self._origins(dispute.coordinator):
                found = await self._asked(origin, lambda link: link.evidence_input(dispute.dispute_id, digest))
                if found is not None and input_hash(found) == digest:
                    return found
            log.info("no coordinator shows what the task was made from yet", dispute=dispute.dispute_id)
            await self._clock.sleep(AGAIN_S)

    async def _evidence(self, dispute: Dispute, accused: Accusation) -> EvidenceView:
        """Get the parameters that the chain has the hash of."""
        while True:
            for origin in self._origins(dispute.coordinator):
                view = await self._asked(origin, lambda link: link.evidence(dispute.dispute_id))
                if view is not None and _is_about(view, accused):
                    return view
            log.info("no coordinator shows the evidence yet", dispute=dispute.dispute_id)
            await self._clock.sleep(AGAIN_S)

    async def _pictures(self, dispute: Dispute, accused: Accusation, parameters: TaskParameters) -> tuple[bytes, ...]:
        """Get the pictures that the miner has signed."""
        while True:
            for origin in self._origins(dispute.coordinator):
                found = await self._asked(
                    origin, lambda link: _pictures_at(link, dispute.dispute_id, parameters.pictures)
                )
                if found is not None and await asyncio.to_thread(_are_signed, found, accused, parameters):
                    return found
            log.info("no coordinator shows the pictures yet", dispute=dispute.dispute_id)
            await self._clock.sleep(AGAIN_S)

    async def show(self, dispute: Dispute, accused: Accusation, evidence: EvidenceUpload) -> int:
        """Show jurors a task of ours wherever they look and do not find it; returns how many coordinators have it."""
        shown = 0
        for origin in self._origins(dispute.coordinator):
            view = await self._asked(origin, lambda link: link.evidence(dispute.dispute_id))
            if (view is not None and _is_about(view, accused)) or await self._asked(
                origin, lambda link: _filed(link, dispute.dispute_id, evidence)
            ):
                shown += 1
        return shown

    async def _asked(self, origin: str, ask: Callable[[EvidenceLink], Awaitable[T]]) -> T | None:
        link = self._connect(origin)
        try:
            return await ask(link)
        except FatalError:
            raise
        except CuckooError as error:
            log.debug("evidence not shown", origin=origin, reason=str(error))
            return None
        finally:
            await link.close()


async def _pictures_at(link: EvidenceLink, dispute: int, count: int) -> tuple[bytes, ...]:
    view = await link.evidence(dispute)
    if len(view.pictures) != count:
        raise InvalidField("pictures", f"{len(view.pictures)} pictures", f"must be {count}")
    return tuple([await link.evidence_picture(dispute, digest) for digest in view.pictures])


async def _filed(link: EvidenceLink, dispute: int, evidence: EvidenceUpload) -> bool:
    await link.file_evidence(dispute, evidence)
    return True


def _is_about(view: EvidenceView, accused: Accusation) -> bool:
    try:
        return view.signed.assignment.struct_hash() == accused.assignment_hash
    except (ValueError, OverflowError):  # numbers that no assignment has
        return False


def _are_signed(pictures: tuple[bytes, ...], accused: Accusation, parameters: TaskParameters) -> bool:
    try:
        check_pictures(
            pictures,
            accused.receipt.picture_hashes,
            count=parameters.pictures,
            width_px=parameters.width_px,
            height_px=parameters.height_px,
        )
    except InvalidField as fault:
        log.info("these pictures are not the ones that were signed", reason=str(fault))
        return False
    return True
