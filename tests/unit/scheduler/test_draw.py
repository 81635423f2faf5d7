"""One draw: exact, unbiased, the same for everybody."""

import hashlib
from collections import Counter

import pytest

from cuckoo.domain.identifiers import NodeId
from cuckoo.domain.keccak import keccak256
from cuckoo.scheduler import draw as draw_module
from cuckoo.scheduler.draw import TRIES, Drawn, draw, scale, uniform
from cuckoo.scheduler.fenwick import SumTree

SEED = hashlib.sha256(b"draw").digest()
GOLDEN = [3, 3, 2, 3, 9, 9, 9, 9, 9, 9, 9, 9]


def tree_of(weights):
    tree = SumTree()
    for node, weight in weights.items():
        tree.set(node, weight)
    return tree


def test_uniform__layout__is_seed_index_u64_try_u32():
    assert uniform(SEED, 258, 3) == int.from_bytes(
        keccak256(SEED + (258).to_bytes(8, "big") + (3).to_bytes(4, "big")), "big"
    )


def test_scale__every_x__has_the_same_number_of_u(monkeypatch):
    monkeypatch.setattr(draw_module, "_BITS", 8)
    for total in range(1, 256):
        counts = Counter(x for u in range(256) if (x := scale(u, total)) is not None)
        assert set(counts.values()) == {256 // total}
        assert len(counts) == total


def test_scale__rejection__is_exactly_where_the_rule_says():
    two = 1 << 256
    for total in (1, 3, 10**27, two // 3 + 1, two // 2 + 1, two - 1):
        for u in (0, 1, two // 3, two // 2, two - 1, *(uniform(SEED, i, 0) for i in range(50))):
            product = u * total
            expected = None if product % two < two % total else product // two
            assert scale(u, total) == expected


def test_draw__known_seed__gives_the_golden_winners():
    tree = tree_of({2: 10, 3: 20, 9: 70})
    assert [draw(tree, bytes(32), i).node for i in range(12)] == GOLDEN
    drawn = draw(tree, bytes(32), 0)
    x = uniform(bytes(32), 0, 0) * 100 >> 256
    expected = 2 if x < 10 else 3 if x < 30 else 9
    assert drawn == Drawn(NodeId(expected), 0, {2: 10, 3: 20, 9: 70}[expected], 100)


def test_draw__excluded_winner__tries_again_with_rising_t():
    weights = {1: 50, 2: 30, 3: 20}
    tree = tree_of(weights)
    seen = 0
    for index in range(60):
        first = draw(tree, SEED, index)
        again = draw(tree, SEED, index, {first.node})
        assert again.node != first.node
        assert again.tries > first.tries
        assert again.total == 100 - first.weight
        seen = max(seen, again.tries)
    assert seen >= 2


def test_draw__nearly_everything_excluded__goes_over_the_listed_nodes():
    tree = tree_of({1: 10**27, 2: 3, 3: 5, 4: 2})
    wins = Counter()
    for index in range(400):
        drawn = draw(tree, SEED, index, {1})
        assert (drawn.tries, drawn.total) == (TRIES, 10)
        x = uniform(SEED, index, TRIES) * 10 >> 256
        assert drawn.node == (2 if x < 3 else 3 if x < 8 else 4)
        wins[drawn.node] += 1
    assert set(wins) == {2, 3, 4}


@pytest.mark.parametrize("excluded", [(), (1,), (1, 2)])
def test_draw__nobody_left__is_none(excluded):
    tree = tree_of({1: 4, 2: 6} if excluded == (1, 2) else {1: 4} if excluded else {})
    assert draw(tree, SEED, 0, set(excluded)) is None
