"""How the rows of a log chunk lie in the store: MessagePack, so that they can be told apart without their layout."""

from collections.abc import Sequence

import msgspec


def encode_rows(rows: Sequence[bytes]) -> bytes:
    """Write rows as one value."""
    return msgspec.msgpack.encode(rows)


def decode_rows(data: bytes) -> tuple[bytes, ...]:
    """Read what ``encode_rows`` wrote."""
    return msgspec.msgpack.decode(data, type=tuple[bytes, ...])
