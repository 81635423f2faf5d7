"""LoRAs that a task names: small changes of a model's weights, by the sha256 of their file."""

import hashlib

import msgspec

from cuckoo.domain.errors import InvalidField
from cuckoo.domain.identifiers import parse_model_digest
from cuckoo.domain.task import NO_HASH

LORAS_MAX = 4
WEIGHT_MAX_THOUSANDTHS = 2_000


class Lora(msgspec.Struct, frozen=True, kw_only=True):
    """One LoRA of a task.

    Attributes:
        digest: sha256 of its safetensors file, 64 lower-case hex digits.
        weight_thousandths: how strongly it counts, -2000..2000.
    """

    digest: str
    weight_thousandths: int


def encode_loras(loras: tuple[Lora, ...]) -> bytes:
    """Write the list that a task names by its sha256: JSON without spaces, ``[["digest",weight], ...]``."""
    return msgspec.json.encode([(one.digest, one.weight_thousandths) for one in loras]) if loras else b""


def loras_hash(payload: bytes) -> bytes:
    """Return the hash of an encoded list; zero for none."""
    return hashlib.sha256(payload).digest() if payload else NO_HASH


def decode_loras(payload: bytes) -> tuple[Lora, ...]:
    """Read the list that a task names; none for no bytes.

    Raises:
        InvalidField: it is no such list, or a limit stands against it.
    """
    if not payload:
        return ()
    try:
        rows = msgspec.json.decode(payload, type=list[tuple[str, int]])
    except msgspec.DecodeError as error:
        limit = f"must be a list of digests and weights: {error}"
        raise InvalidField("loras", f"{len(payload):,} bytes", limit) from None
    loras = tuple(Lora(digest=digest, weight_thousandths=weight) for digest, weight in rows)
    check_loras(loras)
    return loras


def lora_digests(payload: bytes) -> frozenset[str]:
    """Return the digests in an encoded list; raises InvalidField as ``decode_loras``."""
    return frozenset(one.digest for one in decode_loras(payload))


def check_loras(loras: tuple[Lora, ...]) -> None:
    """Check number, digests and weights; raises InvalidField."""
    if len(loras) > LORAS_MAX:
        raise InvalidField("loras", f"{len(loras)} LoRAs", f"at most {LORAS_MAX}")
    if len({one.digest for one in loras}) != len(loras):
        raise InvalidField("loras", "one of them twice", "each at most once")
    for one in loras:
        parse_model_digest(one.digest)
        if abs(one.weight_thousandths) > WEIGHT_MAX_THOUSANDTHS:
            most = WEIGHT_MAX_THOUSANDTHS / 1_000
            raise InvalidField("loras", one.weight_thousandths / 1_000, f"weights must be {-most:g} to {most:g}")
