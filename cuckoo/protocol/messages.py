"""Everything that goes over the wire, as frozen structs.

JSON bodies write bytes as lower-case hex and wei as decimal strings (``encode_json`` / ``decode_json``); bodies with
pictures are MessagePack (``encode_binary`` / ``decode_binary``). Every request carries ``version``.
"""

import re
import sys
from contextlib import suppress
from typing import Annotated, Any, TypeAlias, TypeVar, get_args, get_origin

import msgspec

from cuckoo.domain.amounts import Wei
from cuckoo.domain.errors import InvalidField, UnknownVersion
from cuckoo.domain.identifiers import ModelDigest, NodeId, TaskId
from cuckoo.domain.task import PICTURES_MAX, TaskParameters, TaskStatus
from cuckoo.protocol.receipts import Assignment, Receipt, Voucher
from cuckoo.protocol.wire import shape_of, without_notes

PROTOCOL_VERSION = 1
MODELS_PER_MINER = 64
PREVIEW_MAX_BYTES = 262_144

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
    """A model that a miner has loaded, the largest task it takes, and the least it wants for a megapixel-step."""

    digest: ModelDigest
    name: str
    max_pixels: int
    max_steps: int
    min_rate_wei: Wei = Wei(0)


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


class SubmitReply(Reply, frozen=True, kw_only=True):
    """The result is durable. ``voucher`` is there when the task had a price."""

    voucher: SignedVoucher | None = None


class Failure(Message, frozen=True, kw_only=True):
    """The miner could not finish an attempt."""

    kind: str
    reason: str


class Accepted(Reply, frozen=True, kw_only=True):
    """Noted."""


# Public API


class TaskRequest(msgspec.Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What an app asks for. ``None`` takes the model's own default; a missing seed is drawn at random."""

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


class TaskView(msgspec.Struct, frozen=True, kw_only=True):
    """A task as its owner sees it. Times in unix seconds."""

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
    step: int = 0
    steps: int = 0
    attempts: tuple[AttemptView, ...] = ()
    pictures: tuple[str, ...] = ()
    receipt: str = ""
    error: str = ""


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


def _plain(value: Any, field: str = "") -> Any:
    if isinstance(value, bytes):
        return value.hex()
    if type(value) is int and (abs(value) > _JSON_SAFE_INTEGER or _AMOUNT.search(field)):
        return str(value)
    if isinstance(value, dict):
        return {key: _plain(item, str(key)) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(item, field) for item in value]
    return value


def to_json_value(message: Any) -> Any:
    """Return plain lists, dicts, strings, numbers: bytes as hex, amounts and integers over 2**53 as decimal strings."""
    return _plain(msgspec.to_builtins(message, builtin_types=(bytes,)))


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
        return msgspec.convert(_each_text(raw, kind, hexed=True), kind, strict=True)
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
    return msgspec.convert(_each_text(raw, kind, hexed=hexed), kind, strict=True)


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


def _each_text(raw: Any, kind: Any, *, hexed: bool, path: str = "") -> Any:
    """Read the texts among plain values as what the struct has in their places: hex as bytes, digits as integers."""
    if raw is None:
        return None
    kind = without_notes(kind)
    if isinstance(raw, str):
        return _from_text(raw, kind, path, hexed=hexed)
    if isinstance(raw, dict) and isinstance(kind, type) and issubclass(kind, msgspec.Struct):
        types = {field.encode_name: field.type for field in msgspec.structs.fields(kind)}
        before = f"{path}." if path else ""
        return {
            key: _each_text(item, types[key], hexed=hexed, path=before + key) if key in types else item
            for key, item in raw.items()
        }
    if isinstance(raw, list | tuple) and get_origin(kind) is tuple:
        inner = get_args(kind)[0]
        return [_each_text(item, inner, hexed=hexed, path=f"{path}[{at}]") for at, item in enumerate(raw)]
    return raw


def _from_text(text: str, kind: Any, path: str, *, hexed: bool) -> Any:
    if hexed and kind is bytes:
        try:
            return bytes.fromhex(text)
        except ValueError:
            raise InvalidField(path or "body", text, "must be bytes, written as hex digits") from None
    if getattr(kind, "__supertype__", kind) is int and text.isascii() and text.isdigit() and len(text) < _DIGITS_MAX:
        return int(text)
    return text


_DIGITS_MAX = 80


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
