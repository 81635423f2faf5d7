from cuckoo.demo.fairness import outcomes
from cuckoo.protocol.views import MinerView


def miner(node, *, done, expected, variance, weight=1):
    return MinerView(
        node_id=node,
        owner="",
        operator="",
        weight_wei=weight,
        own_wei=weight,
        votes_wei=0,
        signed_in=True,
        models=(),
        introduction="",
        done=done,
        expected=expected,
        variance=variance,
    )


def test_outcomes__between_two_looks__count_only_what_happened_between():
    before = [miner(1, done=3, expected=2.5, variance=1.0), miner(2, done=1, expected=1.5, variance=1.0)]
    after = [miner(1, done=13, expected=12.5, variance=6.0), miner(2, done=41, expected=41.5, variance=6.0)]
    first, second = outcomes(before, after, [1, 2])
    assert (first.done, first.expected) == (10, 10.0)
    assert (second.done, second.expected) == (40, 40.0)


def test_outcomes__range__is_that_of_a_binomial_within_so_many_sigmas():
    # 48 draws at p = 1/4: mean 12, variance 9; two miners at 1 in 1,000 together: 3.48 standard deviations.
    before = [miner(1, done=0, expected=0, variance=0), miner(2, done=0, expected=0, variance=0)]
    after = [miner(1, done=12, expected=12, variance=9), miner(2, done=36, expected=36, variance=9)]
    first, second = outcomes(before, after, [1, 2])
    assert (first.least, first.most) == (1, 23)
    assert (second.least, second.most) == (25, 47)
    assert first.within
    assert second.within


def test_outcomes__more_than_chance_allows__is_not_within():
    before = [miner(1, done=0, expected=0, variance=0)]
    (row,) = outcomes(before, [miner(1, done=30, expected=12, variance=9)], [1])
    assert not row.within


def test_outcomes__without_a_choice__allow_exactly_what_had_to_happen():
    (row,) = outcomes([miner(1, done=0, expected=0, variance=0)], [miner(1, done=5, expected=5, variance=0)], [1])
    assert (row.least, row.most, row.within) == (5, 5, True)
