"""Which results are checked."""

import hashlib
import hmac

from cuckoo.domain.identifiers import NodeId

NEWCOMER_AUDITS = 3
"""Until so many of its results were found right, since the last that was wrong, a miner is new, and checked more."""

MORE = 5
"""So much more often results of new miners and of unhealthy ones are checked."""

HEALTHY = 0.9


class Sample:
    """Chooses results by a secret and their receipts, so that nobody can foresee it."""

    def __init__(self, probability: float, secret: bytes) -> None:
        """Take the probability for a healthy miner's result, 0..1, and the secret."""
        self._probability = probability
        self._secret = secret
        self._right: dict[NodeId, int] = {}

    def found_right(self, miner: NodeId, count: int = 1) -> None:
        """Note that so many more results of a miner were found right."""
        self._right[miner] = self._right.get(miner, 0) + count

    def found_wrong(self, miner: NodeId) -> None:
        """Note that a result was wrong: the miner is as good as new."""
        self._right.pop(miner, None)

    def chance(self, miner: NodeId, health: float, suspicious: bool) -> float:
        """Return the probability with which a result is checked; arguments as for ``chosen``."""
        if suspicious and self._probability:
            return 1.0
        often = health < HEALTHY or self._right.get(miner, 0) < NEWCOMER_AUDITS
        return min(1.0, self._probability * (MORE if often else 1))

    def chosen(self, miner: NodeId, receipt: bytes, health: float, suspicious: bool) -> bool:
        """Tell whether a result is to be checked, once its receipt is in.

        Args:
            miner: whose.
            receipt: encoded.
            health: the miner's, 0..1.
            suspicious: looks odd: always checked.
        """
        drawn = hmac.digest(self._secret, receipt, hashlib.sha256)
        return int.from_bytes(drawn[:8], "big") < self.chance(miner, health, suspicious) * 2**64
