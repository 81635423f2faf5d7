import math

import pytest

from cuckoo.inference.train.budget import Budget, bars


def test_sitting__steps_only__yields_each_of_them():
    budget = Budget(steps=3)
    assert list(budget.sitting(bars(), "title")) == [0, 1, 2]
    assert budget.share == 1


def test_sitting__earlier_steps__goes_on_after_them():
    assert list(Budget(steps=3, done_steps=2).sitting(bars(), "title")) == [2]


def test_sitting__time_spent_earlier__ends_at_once():
    assert list(Budget(steps=10, seconds=5, done_s=6).sitting(bars(), "title")) == []


def test_rate__over_the_budget__warms_up_and_falls_as_a_cosine():
    budget = Budget(steps=1000)
    assert budget.rate(1e-3, 1e-5) == pytest.approx(1e-3 / 50)
    budget.done_steps = 500
    assert budget.rate(1e-3, 1e-5) == pytest.approx((1e-3 + 1e-5) / 2)
    budget.done_steps = 1000
    assert budget.rate(1e-3, 1e-5) == pytest.approx(1e-5)
    assert math.isinf(budget.seconds)
