"""Miners that cheat, each in one way: so that tests and the demo can show what catches them.

Most cheats sit where an honest miner has its worker pool, so that it signs what it made up with a real key; others sit
where it calls its coordinator, or where its jury has the worker pool.
"""

import asyncio
import hashlib
import io
import os
from collections.abc import Callable
from contextlib import suppress
from enum import StrEnum
from typing import Protocol

from msgspec.structs import replace
from PIL import Image

from cuckoo.client.coordinator import CoordinatorClient
from cuckoo.domain.errors import Conflict
from cuckoo.domain.identifiers import ModelDigest, TaskId
from cuckoo.domain.task import SIDE_MIN_PX, TaskParameters
from cuckoo.inference.messages import Finished, Progress
from cuckoo.inference.pool import Job, LoadedModel
from cuckoo.protocol.eip712 import Domain, Hasher
from cuckoo.protocol.messages import ResultUpload, SubmitReply
from cuckoo.protocol.receipts import pixel_hash
from cuckoo.protocol.signing import Signer
from cuckoo.roles.miner import Disguise


class Cheat(StrEnum):
    """What a miner does instead of its work."""

    NOISE = "noise"
    BLANK = "blank"
    CACHED = "cached"
    FEWER_STEPS = "fewer-steps"
    OTHER_PROMPT = "other-prompt"
    OTHER_GUIDANCE = "other-guidance"
    IGNORED_SEED = "ignored-seed"
    UPSCALED = "upscaled"
    OTHER_MODEL = "other-model"
    SILENT = "silent"
    TAMPERED = "tampered"
    REPLAYED = "replayed"
    TWO_RESULTS = "two-results"
    LAZY_JUROR = "lazy-juror"

    @property
    def sentence(self) -> str:
        """Say it to a person."""
        return _SENTENCES[self]

    @property
    def shows(self) -> bool:
        """Whether the picture is another one than was asked for; all others are refused or proven at once."""
        return self not in (Cheat.SILENT, Cheat.TAMPERED, Cheat.REPLAYED, Cheat.TWO_RESULTS, Cheat.LAZY_JUROR)


IN_THE_PICTURE = (
    Cheat.NOISE,
    Cheat.BLANK,
    Cheat.CACHED,
    Cheat.FEWER_STEPS,
    Cheat.OTHER_PROMPT,
    Cheat.OTHER_GUIDANCE,
    Cheat.IGNORED_SEED,
    Cheat.UPSCALED,
)
"""Those that make another picture of a task, with the task's own model."""

_SENTENCES = {
    Cheat.NOISE: "sends noise",
    Cheat.BLANK: "sends a blank picture",
    Cheat.CACHED: "sends a picture that it made before",
    Cheat.FEWER_STEPS: "does half the steps",
    Cheat.OTHER_PROMPT: "draws another prompt",
    Cheat.OTHER_GUIDANCE: "draws without guidance, which is half the work",
    Cheat.IGNORED_SEED: "ignores the seed",
    Cheat.UPSCALED: "draws a smaller picture and enlarges it",
    Cheat.OTHER_MODEL: "draws with another model",
    Cheat.SILENT: "takes tasks and never answers",
    Cheat.TAMPERED: "changes the picture after it has signed it",
    Cheat.REPLAYED: "sends a result once more for another task",
    Cheat.TWO_RESULTS: "signs two results for one task",
    Cheat.LAZY_JUROR: "finds guilty whom it is asked about, without looking",
}


class Honest(Protocol):
    """The pool that a cheat makes use of; see :class:`cuckoo.inference.pool.WorkerPool`."""

    ready: asyncio.Event
    devices: tuple[str, ...]

    @property
    def at_once(self) -> int:
        """How many jobs run at the same time."""

    async def run(self, job: Job, on_progress: Callable[[Progress], None] | None = None) -> Finished:
        """Run a job."""

    def cancel(self, job_id: str) -> None:
        """Stop a job."""

    def loaded(self) -> dict[ModelDigest, LoadedModel]:
        """Return the models in memory."""


class CheatingPool:
    """Does the work of a pool in a dishonest way."""

    def __init__(self, pool: Honest, cheat: Cheat) -> None:
        """Take an honest pool, and what to do instead."""
        self._pool = pool
        self._cheat = cheat
        self._kept: Finished | None = None
        self.ready = pool.ready
        self.devices = pool.devices
        self.at_once = pool.at_once

    def cancel(self, job_id: str) -> None:
        """Stop a job."""
        self._pool.cancel(job_id)

    def loaded(self) -> dict[ModelDigest, LoadedModel]:
        """Return the models in memory."""
        return self._pool.loaded()

    async def run(self, job: Job, on_progress: Callable[[Progress], None] | None = None) -> Finished:
        """Return what looks like the result of a job."""
        parameters = job.parameters
        match self._cheat:
            case Cheat.SILENT:
                await asyncio.Event().wait()
            case Cheat.NOISE | Cheat.BLANK:
                return self._made_up(job)
            case Cheat.CACHED if self._kept is not None and _size(self._kept) == _wanted(parameters):
                return replace(self._kept, job_id=job.job_id)
            case Cheat.LAZY_JUROR:
                return self._made_up(job)
            case Cheat.UPSCALED:
                return await self._upscaled(job, on_progress)
        done = await self._pool.run(replace(job, parameters=self._changed(parameters)), on_progress)
        self._kept = self._kept or done
        return replace(done, pictures=self._made_up(job).pictures) if self._cheat is Cheat.TAMPERED else done

    def _changed(self, parameters: TaskParameters) -> TaskParameters:
        match self._cheat:
            case Cheat.FEWER_STEPS:
                return replace(parameters, steps=max(1, parameters.steps // 2))
            case Cheat.OTHER_PROMPT:
                return replace(parameters, prompt="an old key")
            case Cheat.OTHER_GUIDANCE:
                return replace(parameters, guidance_thousandths=1_000)
            case Cheat.IGNORED_SEED:
                return replace(parameters, seed=0)
            case Cheat.OTHER_MODEL:
                other = next(digest for digest in self._pool.loaded() if digest != parameters.model_digest)
                return replace(parameters, model_digest=other)
            case _:
                return parameters

    def _made_up(self, job: Job) -> Finished:
        width_px, height_px, count = _wanted(job.parameters)
        size = width_px * height_px * 3
        rows = [os.urandom(size) if self._cheat is Cheat.NOISE else b"\xff" * size for _ in range(count)]
        profile = next(iter(self._pool.loaded().values())).profile
        return Finished(
            job_id=job.job_id,
            pictures=[_png(width_px, height_px, row) for row in rows],
            picture_hashes=[pixel_hash(height_px, width_px, row) for row in rows],
            latents_root=hashlib.sha256(b"".join(rows)).digest(),
            profile=profile,
            step_s=[0.01] * job.parameters.steps,
            seconds=0.1,
        )

    async def _upscaled(self, job: Job, on_progress: Callable[[Progress], None] | None) -> Finished:
        parameters = job.parameters
        sides = [max(SIDE_MIN_PX, side // 16 * 8) for side in (parameters.width_px, parameters.height_px)]
        small = replace(parameters, width_px=sides[0], height_px=sides[1])
        done = await self._pool.run(replace(job, parameters=small), on_progress)
        size, pictures, hashes = (parameters.width_px, parameters.height_px), [], []
        for picture in done.pictures:
            with Image.open(io.BytesIO(picture)) as image:
                rows = image.convert("RGB").resize(size, Image.Resampling.BICUBIC).tobytes()
            pictures.append(_png(*size, rows))
            hashes.append(pixel_hash(size[1], size[0], rows))
        return replace(done, pictures=pictures, picture_hashes=hashes)


class CheatingLink(CoordinatorClient):
    """Calls a coordinator with other results than the miner's."""

    def __init__(self, origin: str, cheat: Cheat, signer: Signer, domain: Domain) -> None:
        """Take the coordinator's address, what to do, and the operator's key."""
        super().__init__(origin)
        self._cheat = cheat
        self._signer = signer
        self._hasher = Hasher(domain)
        self._first: ResultUpload | None = None

    async def submit(self, token: str, task_id: TaskId, attempt: int, upload: ResultUpload) -> SubmitReply:
        """Upload a result, or an older one, or two."""
        self._first = self._first or upload
        if self._cheat is Cheat.REPLAYED:
            return await super().submit(token, task_id, attempt, self._first)
        reply = await super().submit(token, task_id, attempt, upload)
        if self._cheat is Cheat.TWO_RESULTS:
            receipt = replace(upload.receipt, latents_root=os.urandom(32))
            signature = self._signer.sign(self._hasher.digest(receipt.struct_hash()))
            with suppress(Conflict):
                await super().submit(token, task_id, attempt, replace(upload, receipt=receipt, signature=signature))
        return reply


def disguise(cheat: Cheat, signer: Signer, domain: Domain) -> Disguise:
    """Return what a miner that cheats puts in the place of its parts.

    Args:
        cheat: what it does.
        signer: its operator's key.
        domain: of the chain.
    """
    match cheat:
        case Cheat.LAZY_JUROR:
            return Disguise(jury=lambda pool: CheatingPool(pool, cheat))
        case Cheat.REPLAYED | Cheat.TWO_RESULTS:
            return Disguise(connect=lambda origin: CheatingLink(origin, cheat, signer, domain))
        case _:
            return Disguise(pool=lambda pool: CheatingPool(pool, cheat))


def _wanted(parameters: TaskParameters) -> tuple[int, int, int]:
    return parameters.width_px, parameters.height_px, parameters.pictures


def _size(done: Finished) -> tuple[int, int, int]:
    with Image.open(io.BytesIO(done.pictures[0])) as image:
        return image.width, image.height, len(done.pictures)


def _png(width_px: int, height_px: int, rows: bytes) -> bytes:
    out = io.BytesIO()
    Image.frombytes("RGB", (width_px, height_px), rows).save(out, "PNG", compress_level=1)
    return out.getvalue()
