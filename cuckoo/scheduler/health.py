"""How reliable a miner has been lately: a number beside its stake, never inside its weight."""

import msgspec

from cuckoo.scheduler.events import FailureKind

LEFT_OUT_BELOW = 0.2
TAKEN_BACK_AT = 0.8
_SUCCESS_CLOSES = 0.25
_RECOVERY_S = 900.0

_KEEPS = {
    FailureKind.TIMED_OUT: 0.6,
    FailureKind.LOST: 0.6,
    FailureKind.BAD_RESULT: 0.4,
    FailureKind.REPORTED: 0.8,
    FailureKind.HANDED_BACK: 1.0,
}
"""The factor that each kind of failure leaves. Being busy is no fault."""


class Health(msgspec.Struct, frozen=True):
    """Health at a time: 0..1, 1 for a miner that nothing is known about.

    Four time-outs in a row leave a miner out; time alone takes it from 0 to 1 in 900 s.

    Attributes:
        value: at ``at``.
        at: unix seconds.
        left_out: it fell below 0.2 and has not reached 0.8 since.
    """

    value: float = 1.0
    at: float = 0.0
    left_out: bool = False

    def now(self, now: float) -> float:
        """Return the health at a later time."""
        return min(1.0, self.value + max(0.0, now - self.at) / _RECOVERY_S)

    def after_success(self, now: float) -> "Health":
        """Return the health after a result that was taken."""
        value = self.now(now)
        return self._at(value + _SUCCESS_CLOSES * (1.0 - value), now)

    def after_failure(self, kind: FailureKind, now: float) -> "Health":
        """Return the health after a failed attempt."""
        return self._at(self.now(now) * _KEEPS[kind], now)

    def disproved(self, now: float) -> "Health":
        """Return the health after a result that others found wrong: none."""
        return self._at(0.0, now)

    def refreshed(self, now: float) -> "Health":
        """Return the health at ``now``, with the leaving out reconsidered."""
        return self._at(self.now(now), now)

    def _at(self, value: float, now: float) -> "Health":
        left_out = value < (TAKEN_BACK_AT if self.left_out else LEFT_OUT_BELOW)
        return Health(value, now, left_out)
