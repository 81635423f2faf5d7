"""The hash chain that seeds draws: committed by its end, revealed backwards, one link a draw period.

``tip = keccak^65536(secret)`` is committed on chain; period k of the tip (0 is the period of the commit) uses the link
with ``keccak^(k+1)(link) = tip``, so a revealed link says nothing about the next.
"""

from cuckoo.domain.identifiers import NodeId
from cuckoo.domain.keccak import keccak256

LINKS = 65_536
_STRIDE = 256


def _hash_times(value: bytes, times: int) -> bytes:
    for _ in range(times):
        value = keccak256(value)
    return value


class SeedChain:
    """All links of one secret; every 256th is kept, the others are hashed anew when asked for (below 1 ms)."""

    def __init__(self, secret: bytes) -> None:
        """Hash the whole chain once, about 0.2 s.

        Args:
            secret: 32 random bytes, never shown and never used for a second chain.
        """
        if len(secret) != 32:
            raise ValueError(f"a seed chain starts from 32 secret bytes, not {len(secret)}")
        self._marks = [secret]
        for _ in range(LINKS // _STRIDE):
            self._marks.append(_hash_times(self._marks[-1], _STRIDE))

    @property
    def tip(self) -> bytes:
        """The 32 bytes to commit on chain."""
        return self._marks[-1]

    def link(self, k: int) -> bytes:
        """Return the link of period ``k`` of this tip; raises ValueError unless 0 <= k < 65,536."""
        if not 0 <= k < LINKS:
            raise ValueError(f"link {k} of a seed chain: it has links 0 to {LINKS - 1:,}; commit a new tip")
        mark, rest = divmod(LINKS - 1 - k, _STRIDE)
        return _hash_times(self._marks[mark], rest)


def verify_link(tip: bytes, k: int, link: bytes) -> bool:
    """Tell whether ``link`` is that of period ``k`` under ``tip``."""
    return 0 <= k < LINKS and len(link) == 32 and _hash_times(link, k + 1) == tip


def period_seed(link: bytes, block_hash: bytes, coordinator: NodeId) -> bytes:
    """Return the seed of a draw period: keccak(link, block hash, node as uint32 big-endian)."""
    if len(link) != 32 or len(block_hash) != 32:
        raise ValueError(f"seed of a period: link and block hash have 32 bytes, not {len(link)} and {len(block_hash)}")
    return keccak256(link + block_hash + coordinator.to_bytes(4, "big"))
