"""Prices are exact integers, the same on both sides."""

from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from cuckoo.domain.amounts import CAI, Wei, format_cai
from cuckoo.domain.pricing import MEGAPIXEL, Rates, part_of, price_of

WORK = st.integers(1, 2048 * 2048 * 150 * 8)
RATE = st.integers(0, 10**6 * CAI)


@given(work=WORK, rate=RATE, more=RATE)
def test_price__is_the_rate_times_the_work_rounded_down(work, rate, more):
    price = price_of(work, rate)
    assert price * MEGAPIXEL <= work * rate < (price + 1) * MEGAPIXEL
    assert price_of(work, rate + more) >= price, "a miner that wants no more than is paid is eligible"


def test_price__of_the_document():
    assert price_of(1024 * 1024 * 30, CAI // 100) == Wei(314_572_800_000_000_000)


def test_rates__by_model__else_the_default():
    rates = Rates(Wei(5), {"large": Wei(9)})
    assert (rates.of("large"), rates.of("small")) == (9, 5)
    assert Rates().free
    assert not Rates(Wei(0), {"large": Wei(9)}).free


@given(price=st.integers(0, 10**30), steps=st.integers(1, 1200), data=st.data())
def test_part__of_any_step__grows_to_the_whole(price, steps, data):
    step = data.draw(st.integers(1, steps))
    assert part_of(price, step - 1, steps) <= part_of(price, step, steps) <= price
    assert part_of(price, steps, steps) == price
    assert part_of(price, 0, 0) == 0, "nothing was begun"


def test_worked_example__of_the_document__adds_up():
    text = (Path(__file__).parents[3] / "docs" / "money.md").read_text(encoding="utf-8")
    price = price_of(1024 * 1024 * 30, CAI // 100)
    cancelled = part_of(price, 12, 30)
    voucher = 3 * price + cancelled
    fees = voucher // 10
    commission = fees // 10
    own, votes = (fees - commission) * 2 // 5, (fees - commission) * 3 // 5
    assert commission + own + votes + (voucher - fees) == voucher
    for amount in (price, cancelled, voucher, voucher - fees, fees, commission, own, votes, votes // 6):
        assert f"| {format_cai(amount)} |" in text
