"""What parent and child say to each other over the child's standard input and output.

A frame is its length as uint32 big-endian, then a msgpack map whose ``type`` names the struct.
"""

from typing import BinaryIO, Literal

import msgspec

from cuckoo.domain.errors import PeerFault
from cuckoo.domain.task import Mode, RuntimeProfile, TaskParameters
from cuckoo.inference.models import Model

FRAME_MAX = 256 << 20
_HEADER = 4

FailureKind = Literal["out_of_memory", "invalid", "internal"]


class _Message(msgspec.Struct, frozen=True, kw_only=True, tag=True, tag_field="type"):
    """A message names its own type."""


class Load(_Message, frozen=True, kw_only=True):
    """Parent: load a model onto your device, check its digest, and run it once to warm up.

    Attributes:
        model: the registry's entry.
        device: "cpu", "cuda:N" or "mps".
        digest_cache: path of the file that remembers sha256 sums, or "" for none.
        overlap: encode text and decode pictures while another job is denoised.
        dtype: number format, "float32", "bfloat16" or "float16"; "" for the device's own.
        attention: "sdpa" for the kernel that torch chooses, "math" for its plain one.
    """

    model: Model
    device: str
    digest_cache: str = ""
    overlap: bool = False
    dtype: str = ""
    attention: str = "sdpa"


class Loaded(_Message, frozen=True, kw_only=True):
    """Child: the model is ready.

    Attributes:
        digest: of the files that were loaded.
        profile: what will decide the pixels.
        pixel_step_s: measured seconds per pixel and denoising step at the model's default size, guidance included.
        replays: by scheduler ("" is the model's own), from how many latents one step is made again exactly; those that
            are missing can not.
        modes: from what it makes pictures.
    """

    digest: str
    profile: RuntimeProfile
    pixel_step_s: float
    replays: dict[str, int] = {}
    modes: tuple[str, ...] = (Mode.TEXT,)


class LoadFailed(_Message, frozen=True, kw_only=True):
    """Child: the model can not be loaded, and trying again would not help."""

    digest: str
    message: str


class Run(_Message, frozen=True, kw_only=True):
    """One job of a :class:`Batch`.

    Attributes:
        job_id: names the job in every answer; unique among those under way.
        parameters: what to draw.
        preview_every: send the picture as it stands after every so many steps; 0 for never.
        latents_file: where to write the latents of every step, see :mod:`cuckoo.inference.latents`; "" for nowhere.
        inputs: what the parameters name by ``inputs``, in the same order; see :mod:`cuckoo.protocol.inputs`.
    """

    job_id: str
    parameters: TaskParameters
    preview_every: int = 0
    latents_file: str = ""
    inputs: tuple[bytes, ...] = ()


class Batch(_Message, frozen=True, kw_only=True):
    """Parent: run jobs, and draw their pictures together.

    Attributes:
        runs: one job, or several whose pictures have the same :func:`cuckoo.inference.batches.shape`.
        bucket: pictures at a time; what is missing in the last batch is padded.
    """

    runs: tuple[Run, ...]
    bucket: int = 1


class Replay(_Message, frozen=True, kw_only=True):
    """Parent: make one step again from latents that somebody else shows, and say how far theirs is from it.

    Attributes:
        job_id: names the job in the answer.
        parameters: what was to be drawn.
        picture: which of the pictures.
        step: the step, from 0; it leads from latents ``step`` to latents ``step + 1``.
        history: from how many latents it is made.
        latents: float32 little-endian bytes by number, see :func:`cuckoo.protocol.openings.wanted`.
        png: the picture that the last latents are said to have become.
    """

    job_id: str
    parameters: TaskParameters
    picture: int
    step: int
    history: int
    latents: dict[int, bytes]
    png: bytes


class Cancel(_Message, frozen=True, kw_only=True):
    """Parent: stop this job within one step. Unknown jobs are ignored: they may just have ended."""

    job_id: str


class Shutdown(_Message, frozen=True, kw_only=True):
    """Parent: end after the job that runs now."""


class Progress(_Message, frozen=True, kw_only=True):
    """Child: ``step`` of ``steps`` is done, counted over all pictures of the job."""

    job_id: str
    step: int
    steps: int
    preview_png: bytes = b""


class Ready(_Message, frozen=True, kw_only=True):
    """Child: the last step of this job, or of its batch, begins: send the next, so that the device need not wait."""

    job_id: str


class Finished(_Message, frozen=True, kw_only=True):
    """Child: the result.

    Attributes:
        pictures: PNG files.
        picture_hashes: sha256 of height u32, width u32 (big-endian) and RGB8 rows, of each picture.
        latents_root: Merkle root over the latents of every picture after every step.
        profile: the runtime profile of this run, with the batch bucket that was used in the end.
        step_s: seconds of every denoising step, over all batches.
        seconds: from taking the job to its last byte.
        peak_bytes: the most memory that the child has taken so far, see :func:`cuckoo.inference.host.peak_bytes`.
    """

    job_id: str
    pictures: list[bytes]
    picture_hashes: list[bytes]
    latents_root: bytes
    profile: RuntimeProfile
    step_s: list[float]
    seconds: float
    peak_bytes: int = 0


class Apart(msgspec.Struct, frozen=True):
    """How far two things lie apart: whether they are equal to the bit, and the mean difference of pixels, of 255."""

    exact: bool
    mean: float


class Replayed(_Message, frozen=True, kw_only=True):
    """Child: how far what was shown lies from what a step gives here; latents are compared by what they decode to.

    Attributes:
        profile: the runtime profile of this run.
        noise: of the starting noise.
        step: of the latents after the step.
        decoded: of the picture.
        seconds: what it took.
    """

    job_id: str
    profile: RuntimeProfile
    noise: Apart
    step: Apart
    decoded: Apart
    seconds: float


class Failed(_Message, frozen=True, kw_only=True):
    """Child: the job ended without a result.

    Attributes:
        kind: whose fault: the device's memory, the request's, or ours.
        message: what happened, in one sentence.
        limit_pixels: with ``out_of_memory``, the largest picture that was measured to fit; else 0.
    """

    job_id: str
    kind: FailureKind
    message: str
    limit_pixels: int = 0


class Cancelled(_Message, frozen=True, kw_only=True):
    """Child: the job was stopped as asked."""

    job_id: str


ToChild = Load | Batch | Replay | Cancel | Shutdown
ToParent = Loaded | LoadFailed | Progress | Ready | Finished | Replayed | Failed | Cancelled

_encoder = msgspec.msgpack.Encoder()
_to_child: msgspec.msgpack.Decoder[ToChild] = msgspec.msgpack.Decoder(ToChild)
_to_parent: msgspec.msgpack.Decoder[ToParent] = msgspec.msgpack.Decoder(ToParent)


class FrameInvalid(PeerFault):
    """Bytes on the pipe that are no frame of ours: parent and child are out of step."""

    code = "frame_invalid"


def frame(message: ToChild | ToParent) -> bytes:
    """Encode one message with its length in front."""
    body = _encoder.encode(message)
    return len(body).to_bytes(_HEADER, "big") + body


def body_length(header: bytes) -> int:
    """Read the four bytes in front of a body.

    Raises:
        FrameInvalid: more than FRAME_MAX bytes.
    """
    length = int.from_bytes(header, "big")
    if length > FRAME_MAX:
        raise FrameInvalid(f"reading a frame of {length:,} bytes: at most {FRAME_MAX:,} are taken")
    return length


def for_child(body: bytes) -> ToChild:
    """Decode what the parent wrote; raises FrameInvalid."""
    try:
        return _to_child.decode(body)
    except msgspec.DecodeError as error:
        raise FrameInvalid(f"reading a message of the parent: {error}") from error


def for_parent(body: bytes) -> ToParent:
    """Decode what the child wrote; raises FrameInvalid."""
    try:
        return _to_parent.decode(body)
    except msgspec.DecodeError as error:
        raise FrameInvalid(f"reading a message of the child: {error}") from error


def read_for_child(stream: BinaryIO) -> ToChild | None:
    """Read one message of the parent from a blocking stream; None at its end, also in the middle of a frame."""
    header = stream.read(_HEADER)
    if len(header) < _HEADER:
        return None
    length = body_length(header)
    body = stream.read(length)
    return for_child(body) if len(body) == length else None
