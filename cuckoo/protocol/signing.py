"""Sign and recover EIP-712 digests through libsecp256k1 (coincurve), without eth-account.

A signature is 65 bytes ``r | s | v`` with v = 27 or 28 and a low s, as OpenZeppelin's ECDSA wants it.
"""

import re
from functools import lru_cache

import coincurve

from cuckoo.domain.errors import InvalidField, SignatureInvalid
from cuckoo.domain.identifiers import Address
from cuckoo.domain.keccak import keccak256

_ADDRESS = re.compile(r"0x[0-9a-fA-F]{40}")
_HALF_ORDER = 0x7FFFFFFFFFFFFFFFFFFFFFFFFFFFFFFF5D576E7357A4501DDFE92F46681B20A0


@lru_cache(maxsize=16_384)
def checksummed(raw: bytes) -> Address:
    """Write 20 bytes as an EIP-55 address."""
    digits = raw.hex()
    mask = keccak256(digits.encode()).hex()
    return Address("0x" + "".join(d.upper() if int(m, 16) >= 8 else d for d, m in zip(digits, mask, strict=False)))


def parse_address(text: str, field: str) -> Address:
    """Read an address, with or without its checksum.

    Raises:
        InvalidField: it is none, or its checksum is wrong.
    """
    if not _ADDRESS.fullmatch(text):
        raise InvalidField(field, text, "must be an address: 0x and 40 hex digits")
    address = checksummed(bytes.fromhex(text[2:]))
    if text[2:] not in (address[2:], text[2:].lower(), text[2:].upper()):
        raise InvalidField(field, text, "has a wrong checksum: a letter was mistyped, copy it again")
    return address


def _address_of(public_key: coincurve.PublicKey) -> Address:
    return checksummed(keccak256(public_key.format(compressed=False)[1:])[12:])


class Signer:
    """A private key that signs digests. It never shows the key, not in ``repr`` either."""

    def __init__(self, private_key: bytes) -> None:
        """Take a private key of 32 bytes; raises ValueError when it is none."""
        self._key = coincurve.PrivateKey(private_key)
        self.address = _address_of(self._key.public_key)

    def __repr__(self) -> str:
        """Show the address only."""
        return f"Signer({self.address})"

    def sign(self, digest: bytes) -> bytes:
        """Sign a 32-byte digest; returns 65 bytes r | s | v."""
        signature: bytes = self._key.sign_recoverable(digest, hasher=None)
        return signature[:64] + bytes([signature[64] + 27])


def recover(digest: bytes, signature: bytes) -> Address:
    """Return the address that signed ``digest``.

    Raises:
        SignatureInvalid: not 65 bytes, v not 27 or 28, s in the upper half, or no such point.
    """
    if len(signature) != 65 or signature[64] not in (27, 28):
        raise SignatureInvalid("recover signature: it must be 65 bytes r | s | v with v = 27 or 28")
    if int.from_bytes(signature[32:64], "big") > _HALF_ORDER:
        raise SignatureInvalid("recover signature: s is in the upper half of the curve order (EIP-2)")
    try:
        key = coincurve.PublicKey.from_signature_and_message(
            signature[:64] + bytes([signature[64] - 27]),
            digest,
            hasher=None,
        )
    except Exception as error:  # coincurve raises bare Exception for points that do not exist
        raise SignatureInvalid(f"recover signature: {error}") from error
    return _address_of(key)


def check_signed_by(digest: bytes, signature: bytes, expected: Address, what: str) -> None:
    """Raise SignatureInvalid unless ``expected`` signed ``digest``; ``what`` names the thing for the message."""
    signer = recover(digest, signature)
    if signer != expected:
        raise SignatureInvalid(f"check {what}: signed by {signer}, expected {expected}")
