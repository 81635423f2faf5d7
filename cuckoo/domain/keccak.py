"""Keccak-256 and the Merkle tree over latents.

Layout (docs/protocol.md): leaf ``keccak(0x00 | picture u16 | step u16 | payload)``, inner node
``keccak(0x01 | left | right)``, an odd node at the end of a level is promoted unchanged. Integers are big-endian.
"""

from collections.abc import Sequence
from typing import Any

try:
    from sha3 import keccak_256 as _keccak  # safe-pysha3: five times as fast, on Linux only
except ImportError:
    from Crypto.Hash import keccak as _slower

    def _keccak(data: bytes) -> Any:
        return _slower.new(digest_bits=256, data=data)


def keccak256(data: bytes) -> bytes:
    """Hash with Keccak-256 as Ethereum uses it (not NIST SHA-3). Returns 32 bytes."""
    digest: bytes = _keccak(data).digest()
    return digest


def latent_leaf(picture: int, step: int, payload: bytes) -> bytes:
    """Hash the latents of one picture after one step.

    Args:
        picture: index of the picture in its task, 0 <= picture < 2**16.
        step: 0 is the starting noise, k the latents after denoising step k.
        payload: the latents as float32 little-endian in C order.
    """
    return keccak256(b"\x00" + picture.to_bytes(2, "big") + step.to_bytes(2, "big") + payload)


def _parent(left: bytes, right: bytes) -> bytes:
    return keccak256(b"\x01" + left + right)


def _levels(leaves: Sequence[bytes]) -> list[list[bytes]]:
    if not leaves:
        raise ValueError("a Merkle tree has at least one leaf")
    levels = [list(leaves)]
    while len(levels[-1]) > 1:
        below = levels[-1]
        above = [_parent(below[i], below[i + 1]) for i in range(0, len(below) - 1, 2)]
        if len(below) % 2:
            above.append(below[-1])
        levels.append(above)
    return levels


def merkle_root(leaves: Sequence[bytes]) -> bytes:
    """Return the root over ``leaves`` (32 bytes each, at least one)."""
    return _levels(leaves)[-1][0]


def merkle_proof(leaves: Sequence[bytes], index: int) -> list[bytes]:
    """Return the siblings of leaf ``index`` from the bottom to the top; a promoted node has none."""
    if not 0 <= index < len(leaves):
        raise ValueError(f"leaf {index} of {len(leaves)} does not exist")
    proof = []
    for level in _levels(leaves)[:-1]:
        sibling = index ^ 1
        if sibling < len(level):
            proof.append(level[sibling])
        index //= 2
    return proof


def merkle_verify(root: bytes, leaf: bytes, index: int, count: int, proof: Sequence[bytes]) -> bool:
    """Tell whether ``leaf`` stands at ``index`` of the ``count`` leaves under ``root``."""
    if not 0 <= index < count:
        return False
    node, rest, width = leaf, list(proof), count
    while width > 1:
        sibling = index ^ 1
        if sibling < width:
            if not rest:
                return False
            other = rest.pop(0)
            node = _parent(other, node) if index % 2 else _parent(node, other)
        index //= 2
        width = (width + 1) // 2
    return not rest and node == root
