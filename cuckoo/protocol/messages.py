"""Everything that goes over the wire, as frozen structs.

JSON bodies write bytes as lower-case hex and wei as decimal strings (``encode_json`` / ``decode_json``); bodies with
pictures are MessagePack (``encode_binary`` / ``decode_binary``). Every request carries ``version``.
"""

import re
import sys
from contextlib import suppress
from functools import cache
from typing import Annotated, Any, TypeAlias, TypeVar, cast

import msgspec

from cuckoo.domain.amounts import Wei
from cuckoo.domain.errors import InvalidField, UnknownVersion
from cuckoo.domain.identifiers import ModelDigest, NodeId, TaskId
from cuckoo.domain.lora import LORAS_MAX
from cuckoo.domain.task import PICTURES_MAX, Mode, TaskParameters, TaskStatus
from cuckoo.protocol.receipts import Assignment, Receipt, Voucher
from cuckoo.protocol.wire import read_texts, shape_of

PROTOCOL_VERSION = 1
MODELS_PER_MINER = 64
LORAS_PER_MODEL = 256
PREVIEW_MAX_BYTES = 262_144
INPUTS_MAX = 3
"""What a task names besides its text: source, mask, list of LoRAs."""

BATCH_MAX = 100
"""Tasks that one request may ask for."""

Buffer: TypeAlias = bytes | bytearray


class Message(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A request between miner and coordinator."""

    version: int = PROTOCOL_VERSION


class Reply(msgspec.Struct, frozen=True, kw_only=True):
    """An answer; unknown fields are ignored, so that a newer server can say more."""


# Sign-in: mutual, the coordinator signs first.


class SignInRequest(Message, frozen=True, kw_only=True):
    """A miner asks to sign in. ``last_sequence``: the highest it has seen from this coordinator."""

    origin: str
    miner_node: NodeId
    miner_nonce: bytes
    last_sequence: int


class SignInOffer(Reply, frozen=True, kw_only=True):
    """The coordinator's half: its nonce, an expiry, and its signature over ``SignIn``."""

    coordinator_node: NodeId
    coordinator_nonce: bytes
    expiry: int
    last_sequence: int
    signature: bytes


class ModelOffer(msgspec.Struct, frozen=True, kw_only=True):
    """A model that a miner has loaded, the largest task it takes, and the least it wants for a megapixel-step.

    ``modes``: from what it makes pictures, see :class:`cuckoo.domain.task.Mode`. ``loras``: digests of those it has.
    """

    digest: ModelDigest
    name: str
    max_pixels: int
    max_steps: int
    min_rate_wei: Wei = Wei(0)
    modes: Annotated[tuple[str, ...], msgspec.Meta(max_length=len(Mode))] = (Mode.TEXT,)
    loras: Annotated[tuple[str, ...], msgspec.Meta(max_length=LORAS_PER_MODEL)] = ()


class SignedVoucher(Reply, frozen=True, kw_only=True):
    """The new cumulative and the coordinator's signature."""

    voucher: Voucher
    signature: bytes


class SignInProof(Message, frozen=True, kw_only=True):
    """The miner's half: its signature over the same ``SignIn``, and what it can do.

    ``slots``: running slots plus the one prefetch slot. ``voucher``: the best one it has of this coordinator, so that
    a coordinator restored from a backup knows what it owes.
    """

    origin: str
    miner_node: NodeId
    miner_nonce: bytes
    coordinator_nonce: bytes
    expiry: int
    signature: bytes
    slots: int
    models: Annotated[tuple[ModelOffer, ...], msgspec.Meta(max_length=MODELS_PER_MINER)]
    device: str = ""
    voucher: SignedVoucher | None = None


class Session(Reply, frozen=True, kw_only=True):
    """A signed-in session. ``voucher`` holds all that the miner has earned here; None when that is nothing."""

    token: str
    expires_at: int
    open_tasks: int
    voucher: SignedVoucher | None = None


# Work


class Poll(Message, frozen=True, kw_only=True):
    """One slot is free. ``slot`` numbers running slots from 0; the last one is the prefetch slot."""

    slot: int
    models: Annotated[tuple[ModelDigest, ...], msgspec.Meta(max_length=MODELS_PER_MINER)]


class SignedAssignment(Reply, frozen=True, kw_only=True):
    """An assignment and the coordinator's signature; ``prefetched`` means it waits for a running one."""

    assignment: Assignment
    signature: bytes
    prefetched: bool = False


class Progress(Message, frozen=True, kw_only=True):
    """Step n of N is done; doubles as a sign of life. ``preview``: a small PNG, or empty."""

    step: int
    steps: int
    picture: int = 0
    preview: bytes = b""


class ProgressReply(Reply, frozen=True, kw_only=True):
    """Whether to stop: the task was cancelled, or the attempt is fenced.

    Attributes:
        earned_wei: what the steps of a cancelled attempt have earned.
        voucher: all that the miner has earned here; only with ``earned_wei``.
    """

    cancelled: bool
    earned_wei: Wei = Wei(0)
    voucher: SignedVoucher | None = None


class ResultUpload(Message, frozen=True, kw_only=True):
    """Pictures as PNG files, and the signed receipt over their pixels."""

    receipt: Receipt
    signature: bytes
    pictures: Annotated[tuple[bytes, ...], msgspec.Meta(max_length=PICTURES_MAX)]


class EvidenceUpload(Message, frozen=True, kw_only=True):
    """What an accused miner shows a jury: what it was given, and what it made of it.

    ``inputs``: what the assignment's parameters name by ``inputs``, in the same order.
    """

    assignment: SignedAssignment
    result: ResultUpload
    inputs: Annotated[tuple[bytes, ...], msgspec.Meta(max_length=INPUTS_MAX)] = ()


class Challenge(msgspec.Struct, frozen=True, kw_only=True):
    """A question about one step of a result, drawn after its receipt was in.

    Attributes:
        id: where the answer goes.
        picture: index of the picture.
        step: from 0; it leads from latents ``step`` to latents ``step + 1``.
        history: from how many latents the step is made, itself included.
        deadline: unix seconds.
    """

    id: int
    picture: int
    step: int
    history: int
    deadline: int


class SubmitReply(Reply, frozen=True, kw_only=True):
    """The result is durable.

    Attributes:
        voucher: all that the miner has earned here; None when that is nothing.
        audited: this result is being checked first: its price comes with the answer to a later repeat.
        challenge: what the miner has to show for that.
    """

    voucher: SignedVoucher | None = None
    audited: bool = False
    challenge: Challenge | None = None


class OpenedLatents(msgspec.Struct, frozen=True, kw_only=True):
    """Latents of one picture: float32 little-endian, and the siblings of their leaf from the bottom up."""

    step: int
    payload: bytes
    proof: tuple[bytes, ...]


class ChallengeAnswer(Message, frozen=True, kw_only=True):
    """The latents that a challenge asks for, each with its proof to the receipt's root."""

    latents: tuple[OpenedLatents, ...]


class Failure(Message, frozen=True, kw_only=True):
    """The miner could not finish an attempt."""

    kind: str
    reason: str


class Accepted(Reply, frozen=True, kw_only=True):
    """Noted."""


# Public API


class ReportRequest(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Somebody reports a picture to the operator.

    Attributes:
        target: the id of its task, or its hash: that of its pixels, as the receipt has it, or its ETag.
        reason: what is wrong with it, up to 2,000 characters.
        contact: where the operator may answer, up to 200 characters.
    """

    target: str
    reason: str
    contact: str = ""


class Reported(Reply, frozen=True, kw_only=True):
    """A report is kept under this number."""

    report: int


class LoraWish(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A LoRA by its name or digest, and how strongly it counts: -2 to 2."""

    lora: str
    weight: float = 1.0


class TaskRequest(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What an app asks for. ``None`` takes the model's own default; a missing seed is drawn at random.

    Attributes:
        source: a picture to start from: a PNG, JPEG or WebP file in base64, or a data: URL with it. It is cut to the
            aspect of the task and brought to its size.
        mask: likewise, as large as the source; white is drawn anew, black stays. Without one all of the source is
            drawn over.
        strength: how much of the source is replaced, above 0 up to 1; so great a part of the steps is made. None for
            0.8, with a mask 1.
        loras: LoRAs of the model, at most 4.
        reproducible: draw each picture by itself. Without, a miner may draw it together with others of its kind, which
            can be faster and moves pixels a little.
    """

    prompt: str
    model: str = ""
    negative_prompt: str = ""
    width_px: int | None = None
    height_px: int | None = None
    pictures: int = 1
    steps: int | None = None
    guidance: float | None = None
    scheduler: str = ""
    seed: int | None = None
    source: str = ""
    mask: str = ""
    strength: float | None = None
    loras: Annotated[tuple[LoraWish, ...], msgspec.Meta(max_length=LORAS_MAX)] = ()
    reproducible: bool = True


class BatchRequest(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """Several tasks, which are all taken in or none."""

    tasks: Annotated[tuple[TaskRequest, ...], msgspec.Meta(min_length=1, max_length=BATCH_MAX)]


class AttemptView(msgspec.Struct, frozen=True, kw_only=True):
    """One attempt as an app sees it. ``odds`` is the probability with which the miner was drawn."""

    attempt: int
    miner_node: NodeId
    odds: float
    candidates: int
    draw_index: int
    deadline: int
    state: str
    reason: str = ""


class AuditView(msgspec.Struct, frozen=True, kw_only=True):
    """What came of the audit of a task's result.

    Attributes:
        state: ``passed``, ``failed``, or ``undecided`` where nobody could make it again.
        detail: what was found, "" where nothing is to say.
        closed_at: unix seconds.
    """

    state: str
    detail: str
    closed_at: float


class TaskView(msgspec.Struct, frozen=True, kw_only=True):
    """A task as its owner sees it. Times in unix seconds. ``waits_for``: why nobody can take it now; "" when one can.

    ``audit`` is None while nobody checked the result; that somebody does is told to nobody before it is over.
    """

    task_id: TaskId
    status: TaskStatus
    model: str
    parameters: TaskParameters
    created_at: float
    price_wei: Wei = Wei(0)
    finished_at: float | None = None
    position: int | None = None
    eta_p50_s: float | None = None
    eta_p90_s: float | None = None
    waits_for: str = ""
    step: int = 0
    steps: int = 0
    attempts: tuple[AttemptView, ...] = ()
    pictures: tuple[str, ...] = ()
    receipt: str = ""
    audit: AuditView | None = None
    error: str = ""


class BatchView(msgspec.Struct, frozen=True, kw_only=True):
    """The tasks of a batch, in the order in which they were asked for."""

    tasks: tuple[TaskView, ...]


class ReceiptView(msgspec.Struct, frozen=True, kw_only=True):
    """Everything needed to check who made a task's pictures, and how."""

    assignment: Assignment
    assignment_signature: bytes
    receipt: Receipt
    receipt_signature: bytes
    chain_id: int
    staking: str


class ErrorBody(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """Every refusal: a code for programs, a sentence for people; field and limit where there is one."""

    code: str
    message: str
    field: str = ""
    limit: str = ""
    retry_after_s: float | None = None


T = TypeVar("T")

_RECURSION_LIMIT = 1_000


def _bound_recursion() -> None:
    """Lower the recursion limit to Python's default before a stranger's bytes are parsed.

    py_ecc, which web3 imports, raises it to 100,000: with that, deeply nested input overflows the C stack and kills
    the process instead of raising RecursionError.
    """
    if sys.getrecursionlimit() > _RECURSION_LIMIT:
        sys.setrecursionlimit(_RECURSION_LIMIT)


_JSON_SAFE_INTEGER = 2**53
_AMOUNT = re.compile(r"(_wei|price|cumulative)$")


def _plain(value: Any, *, amount: bool = False) -> Any:  # noqa: PLR0911 - one line a type
    """Return plain values; structs are read field by field, which is several times faster than ``to_builtins``."""
    kind = type(value)
    if kind is str or value is None:
        return value
    if kind is int:
        return str(value) if amount or abs(value) > _JSON_SAFE_INTEGER else value
    if kind is bytes:
        return value.hex()
    if kind is tuple or kind is list:
        return [_plain(item, amount=amount) for item in value]
    if kind is dict:
        return {key: _plain(item, amount=bool(_AMOUNT.search(str(key)))) for key, item in value.items()}
    if isinstance(value, msgspec.Struct):
        if kind.__struct_config__.omit_defaults:
            return _plain(msgspec.to_builtins(value, builtin_types=(bytes,)))
        fields: tuple[tuple[str, str, bool], ...] = _fields_of(cast("Any", kind))
        return {name: _plain(getattr(value, attribute), amount=is_amount) for attribute, name, is_amount in fields}
    return msgspec.to_builtins(value)


@cache
def _fields_of(kind: Any) -> tuple[tuple[str, str, bool], ...]:
    """Return a struct's fields: attribute, name on the wire, whether it is an amount."""
    names = zip(kind.__struct_fields__, kind.__struct_encode_fields__, strict=True)
    return tuple((attribute, name, bool(_AMOUNT.search(name))) for attribute, name in names)


def to_json_value(message: Any) -> Any:
    """Return plain lists, dicts, strings, numbers: bytes as hex, amounts and integers over 2**53 as decimal strings."""
    return _plain(message)


def encode_json(message: Any) -> bytes:
    """Write a struct as JSON."""
    return msgspec.json.encode(to_json_value(message))


def decode_json(body: Buffer, kind: type[T]) -> T:
    """Read a struct from JSON.

    Raises:
        UnknownVersion: the message is of a version we do not speak.
        InvalidField: broken JSON, an unknown field, a wrong type; names where.
    """
    return _decode(body, kind, hexed=True)


def convert(raw: Any, kind: type[T]) -> T:
    """Read a struct from plain JSON values; raises as ``decode_json``."""
    try:
        return msgspec.convert(read_texts(raw, kind, hexed=True), kind, strict=True)
    except msgspec.ValidationError as error:
        raise _as_invalid_field(error) from None


_VERSION_SHOWN = 20


class _Version(msgspec.Struct):
    """What every message says about itself; the rest of it is skipped."""

    version: msgspec.Raw = msgspec.Raw()


def _decode(body: Buffer, kind: type[T], *, hexed: bool) -> T:
    """Read a body by its shape, then the texts in it: see ``protocol.wire``."""
    _bound_recursion()
    form, name = (msgspec.json, "JSON") if hexed else (msgspec.msgpack, "MessagePack")
    try:
        message: T = _typed(form, body, kind, hexed=hexed)
    except msgspec.ValidationError as error:
        _check_version(form, body, kind)
        raise _as_invalid_field(error) from None
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise InvalidField("body", f"{len(body)} bytes", f"must be {name}: {error}") from None
    if isinstance(message, Message) and message.version != PROTOCOL_VERSION:
        _check_version(form, body, kind)
    return message


def _typed(form: Any, body: Buffer, kind: Any, *, hexed: bool) -> Any:
    if not hexed:
        with suppress(msgspec.ValidationError):
            return form.decode(body, type=kind)
    shape = form.decode(body, type=shape_of(kind, hexed=hexed))
    raw = msgspec.to_builtins(shape, builtin_types=(bytes,))
    return msgspec.convert(read_texts(raw, kind, hexed=hexed), kind, strict=True)


def _check_version(form: Any, body: Buffer, kind: type[Any]) -> None:
    """Raise UnknownVersion where a message, whatever else is wrong with it, says that it is of another version."""
    if not issubclass(kind, Message):
        return
    try:
        told = bytes(form.decode(body, type=_Version).version)
    except msgspec.ValidationError:
        return
    if told and told != form.encode(PROTOCOL_VERSION):
        shown = repr(form.decode(told)) if len(told) <= _VERSION_SHOWN else f"of {len(told)} bytes"
        raise UnknownVersion(
            f"read {kind.__name__}: protocol version {shown} is unknown here, "
            f"this side speaks version {PROTOCOL_VERSION}: update the older side",
        )


def _as_invalid_field(error: msgspec.ValidationError) -> InvalidField:
    message, _, path = str(error).partition(" - at `")
    field = path.rstrip("`").removeprefix("$").removeprefix(".") or "body"
    return InvalidField(field, "this value", message[:1].lower() + message[1:])


def encode_binary(message: Any) -> bytes:
    """Write a struct as MessagePack; integers that it has no type for, amounts above 18 CAI, as decimal strings."""
    try:
        return msgspec.msgpack.encode(message)
    except OverflowError:
        return msgspec.msgpack.encode(_large_as_text(msgspec.to_builtins(message, builtin_types=(bytes,))))


def decode_binary(body: Buffer, kind: type[T]) -> T:
    """Read a struct from MessagePack; raises as ``decode_json``."""
    return _decode(body, kind, hexed=False)


_MSGPACK_MAX = 2**64 - 1


def _large_as_text(value: Any) -> Any:
    if type(value) is int and value > _MSGPACK_MAX:
        return str(value)
    if isinstance(value, dict):
        return {key: _large_as_text(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_large_as_text(item) for item in value]
    return value
