"""A sum tree over weights: who owns the x-th wei, in O(log n)."""

from collections.abc import Iterator

_FIRST_SIZE = 64


class SumTree:
    """Integer weights at positions 1, 2, ...; grows as positions appear.

    Source:
        P. Fenwick, "A new data structure for cumulative frequency tables", 1994. ``_sums[i]`` holds the weights of the
        ``i & -i`` positions that end at i. The size is a power of two, so that the last sum is the total and growing
        copies nothing but the total.

    Attributes:
        total: sum of all weights.
    """

    __slots__ = ("_size", "_steps", "_sums", "_weights", "total")

    def __init__(self) -> None:
        """Start empty."""
        self.total = 0
        self._size = _FIRST_SIZE
        self._sums = [0] * (_FIRST_SIZE + 1)
        self._weights = [0] * (_FIRST_SIZE + 1)
        self._steps = _halves(_FIRST_SIZE)

    def weight(self, position: int) -> int:
        """Return the weight at a position, 0 where none was set."""
        return self._weights[position] if 0 < position <= self._size else 0

    def set(self, position: int, weight: int) -> None:
        """Replace the weight at ``position`` (>= 1) by ``weight`` (>= 0); 0 removes it."""
        if position < 1 or weight < 0:
            raise ValueError(f"set weight {weight} at position {position}: positions start at 1, weights at 0")
        if position > self._size:
            self._grow(position)
        weights, sums, size = self._weights, self._sums, self._size
        change = weight - weights[position]
        weights[position] = weight
        self.total += change
        while position <= size:
            sums[position] += change
            position += position & -position

    def find(self, x: int) -> int:
        """Return the first position whose prefix sum is above ``x``; raises ValueError unless 0 <= x < total."""
        if not 0 <= x < self.total:
            raise ValueError(f"find {x}: the total is {self.total}")
        sums, position = self._sums, 0
        for step in self._steps:
            below = sums[position + step]
            if below <= x:
                x -= below
                position += step
        return position + 1

    def __iter__(self) -> Iterator[tuple[int, int]]:
        """Yield (position, weight) of every position with weight, in order."""
        for position, weight in enumerate(self._weights):
            if weight:
                yield position, weight

    def _grow(self, position: int) -> None:
        size = self._size
        while size < position:
            self._sums += [0] * size
            self._weights += [0] * size
            size *= 2
            self._sums[size] = self.total
        self._size, self._steps = size, _halves(size)


def _halves(size: int) -> tuple[int, ...]:
    return tuple(1 << bit for bit in reversed(range(size.bit_length() - 1)))
