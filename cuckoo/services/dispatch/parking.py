"""Polls that wait for an assignment, and assignments whose poll broke off before they arrived."""

import asyncio

from cuckoo.domain.identifiers import NodeId
from cuckoo.protocol.messages import SignedAssignment

Waiter = asyncio.Future[SignedAssignment | None]


class Parking:
    """One waiting poll per miner and slot."""

    def __init__(self) -> None:
        """Start empty."""
        self._waiting: dict[NodeId, dict[int, Waiter]] = {}
        self._undelivered: dict[tuple[NodeId, int], SignedAssignment] = {}

    def __len__(self) -> int:
        """Return how many polls wait."""
        return sum(map(len, self._waiting.values()))

    def park(self, node: NodeId, slot: int) -> Waiter:
        """Let a poll wait; one that waits for the same slot already is answered with nothing."""
        waiter: Waiter = asyncio.get_running_loop().create_future()
        before = self.take(node, slot)
        if before is not None:
            _answer(before, None)
        self._waiting.setdefault(node, {})[slot] = waiter
        return waiter

    def leave(self, node: NodeId, slot: int, waiter: Waiter) -> bool:
        """Stop waiting; returns whether the poll was still the one that waits."""
        if self._waiting.get(node, {}).get(slot) is not waiter:
            return False
        self.take(node, slot)
        return True

    def take(self, node: NodeId, slot: int) -> Waiter | None:
        """Return the poll that an assignment goes to: it waits for that one only from now on."""
        slots = self._waiting.get(node)
        if slots is None:
            return None
        waiter = slots.pop(slot, None)
        if not slots:
            del self._waiting[node]
        return waiter

    def deliver(self, waiter: Waiter | None, slot: int, signed: SignedAssignment) -> None:
        """Answer a poll; where it broke off, the assignment waits for the slot's next one."""
        if waiter is None or not _answer(waiter, signed):
            self.keep(slot, signed)

    def keep(self, slot: int, signed: SignedAssignment) -> None:
        """Keep an assignment that did not arrive for the next poll of its slot."""
        self._undelivered[signed.assignment.miner_node, slot] = signed

    def kept(self, node: NodeId, slot: int) -> SignedAssignment | None:
        """Return the assignment that waits for this slot's poll, once."""
        return self._undelivered.pop((node, slot), None)

    def close(self, node: NodeId) -> None:
        """Answer all polls of a miner with nothing, and forget what waits for it: its session ended."""
        for waiter in self._waiting.pop(node, {}).values():
            _answer(waiter, None)
        for place in [place for place in self._undelivered if place[0] == node]:
            del self._undelivered[place]

    def release_all(self) -> None:
        """Answer every poll with nothing."""
        for slots in self._waiting.values():
            for waiter in slots.values():
                _answer(waiter, None)


def _answer(waiter: Waiter, signed: SignedAssignment | None) -> bool:
    if waiter.done():
        return False
    waiter.set_result(signed)
    return True
