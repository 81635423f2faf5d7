"""The sum tree against a plain list."""

from itertools import accumulate

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cuckoo.scheduler.fenwick import SumTree

WEIGHTS = st.integers(0, 10**27)


@given(st.lists(st.tuples(st.integers(1, 700), WEIGHTS), max_size=60), st.randoms(use_true_random=False))
def test_sum_tree__any_sets__agrees_with_a_plain_list(sets, random):
    tree, plain = SumTree(), [0] * 701
    for position, weight in sets:
        tree.set(position, weight)
        plain[position] = weight
    total = sum(plain)
    assert tree.total == total
    assert list(tree) == [(i, w) for i, w in enumerate(plain) if w]
    assert all(tree.weight(i) == w for i, w in enumerate(plain))
    if total:
        sums = list(accumulate(plain))
        edges = {0, total - 1, *(s for s in sums if s < total), *(s - 1 for s in sums if s)}
        for x in edges | {random.randrange(total) for _ in range(10)}:
            assert tree.find(x) == next(i for i, s in enumerate(sums) if s > x)


def test_sum_tree__position_far_beyond_the_size__grows():
    tree = SumTree()
    tree.set(3, 5)
    tree.set(100_000, 7)
    assert (tree.total, tree.find(4), tree.find(5), tree.find(11)) == (12, 3, 100_000, 100_000)
    assert tree.weight(10**9) == 0


@pytest.mark.parametrize("x", [-1, 5])
def test_find__outside_the_total__is_refused(x):
    tree = SumTree()
    tree.set(1, 5)
    with pytest.raises(ValueError, match="the total is 5"):
        tree.find(x)


@pytest.mark.parametrize(("position", "weight"), [(0, 1), (1, -1)])
def test_set__impossible_position_or_weight__is_refused(position, weight):
    with pytest.raises(ValueError, match="positions start at 1"):
        SumTree().set(position, weight)
