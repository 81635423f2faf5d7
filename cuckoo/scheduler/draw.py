"""One stake-weighted draw, exact and reproducible: seed, index and weights decide it, nothing else."""

import struct
from collections.abc import Collection

import msgspec

from cuckoo.domain.identifiers import NodeId
from cuckoo.domain.keccak import keccak256
from cuckoo.scheduler.fenwick import SumTree

TRIES = 16
"""Tries over the whole tree, after which the draw goes over the listed eligible nodes."""

_BITS = 256
_KEY = struct.Struct(">QI")


class Drawn(msgspec.Struct, frozen=True):
    """The outcome of a draw.

    Attributes:
        node: the winner.
        tries: the t that decided it, from 0.
        weight: the winner's.
        total: weight of all candidates; weight / total is the winner's probability.
    """

    node: NodeId
    tries: int
    weight: int
    total: int


def uniform(seed: bytes, index: int, tries: int) -> int:
    """Return u = keccak(seed, index as u64, tries as u32) as an unsigned 256-bit integer, big-endian throughout."""
    return int.from_bytes(keccak256(seed + _KEY.pack(index, tries)), "big")


def scale(u: int, total: int) -> int | None:
    """Scale u, uniform below 2**256, to x below ``total`` without bias; None when this u must be rejected.

    Source:
        D. Lemire, "Fast random integer generation in an interval", 2019: x = u·W >> 256, rejected while
        u·W mod 2**256 < 2**256 mod W. The remainder is below W, so it is needed only when the low half is, too.
    """
    product = u * total
    x = product >> _BITS
    low = product - (x << _BITS)
    if low < total and low < (1 << _BITS) % total:
        return None
    return x


def draw(tree: SumTree, seed: bytes, index: int, excluded: Collection[NodeId] = ()) -> Drawn | None:
    """Draw one node in proportion to weight, in order of node id.

    Args:
        tree: weights of the active nodes, position = node id.
        seed: the draw period's, 32 bytes.
        index: number of the draw under its seed tip.
        excluded: nodes in the tree that may not win.

    Returns:
        The winner, or None when no node with weight is left after the exclusions.
    """
    whole = tree.total
    total = whole - sum(map(tree.weight, excluded))
    if total <= 0:
        return None
    for tries in range(TRIES):
        x = scale(uniform(seed, index, tries), whole)
        if x is not None:
            node = NodeId(tree.find(x))
            if node not in excluded:
                return Drawn(node, tries, tree.weight(node), total)
    return _draw_listed(tree, seed, index, excluded, total)


def _draw_listed(tree: SumTree, seed: bytes, index: int, excluded: Collection[NodeId], total: int) -> Drawn:
    tries, x = TRIES, scale(uniform(seed, index, TRIES), total)
    while x is None:
        tries += 1
        x = scale(uniform(seed, index, tries), total)
    for node, weight in tree:
        if node not in excluded:
            if x < weight:
                return Drawn(NodeId(node), tries, weight, total)
            x -= weight
    raise AssertionError("the weights of a sum tree add up to its total")
