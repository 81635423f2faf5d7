"""A miner's slots: one per worker, and one to prefetch into."""


class Slots:
    """Which slot holds which attempt. Running slots are numbered from 0, the last slot is the prefetch slot."""

    def __init__(self, running: int) -> None:
        """Make ``running`` slots (>= 1) and the prefetch slot, all free."""
        self.total = running + 1
        self._held: dict[int, bytes] = {}

    @property
    def prefetch(self) -> int:
        """The number of the prefetch slot."""
        return self.total - 1

    def is_free(self, slot: int) -> bool:
        """Tell whether a slot may be offered."""
        return slot not in self._held

    def take(self, slot: int, attempt: bytes) -> None:
        """Put an attempt (its assignment hash) into a free slot."""
        if slot in self._held:
            raise ValueError(f"slot {slot} holds an attempt already")
        self._held[slot] = attempt

    def release(self, attempt: bytes) -> int | None:
        """Take an attempt out; when that leaves a running slot and one waits in the prefetch slot, it moves up.

        Returns:
            The slot that is free now; None when the attempt held none.
        """
        freed = next((slot for slot, held in self._held.items() if held == attempt), None)
        if freed is None:
            return None
        del self._held[freed]
        if freed != self.prefetch and self.prefetch in self._held:
            self._held[freed] = self._held.pop(self.prefetch)
            return self.prefetch
        return freed
