"""Amounts are exact, at the human edge and back."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cuckoo.domain.amounts import CAI, format_cai, format_gwei, parse_cai, parse_gwei
from cuckoo.domain.errors import AmountInvalid


@given(st.integers(0, 10**27))
def test_format_and_parse__any_wei__round_trip(wei):
    assert parse_cai(format_cai(wei)) == wei
    assert parse_cai(format_cai(wei, grouped=False)) == wei


@pytest.mark.parametrize(
    ("text", "wei"),
    [("20000", 20_000 * CAI), ("20,000", 20_000 * CAI), ("2.5", 25 * CAI // 10), (".5", CAI // 2), (" 1 ", CAI)],
)
def test_parse__what_people_write__is_read(text, wei):
    assert parse_cai(text) == wei


@pytest.mark.parametrize("text", ["", ".", "-1", "1e3", "1.0000000000000000001", "1,00", "abc", "0x10", "1" * 40])
def test_parse__nonsense__is_refused(text):
    with pytest.raises(AmountInvalid):
        parse_cai(text)


def test_format__negative__keeps_the_sign():
    assert format_cai(-5 * CAI // 2) == "-2.5"


def test_gwei__decimal__is_exact_and_no_finer_than_a_wei():
    assert parse_gwei("0.1") == 10**8
    assert format_gwei(1_500_000_000) == "1.5"
    with pytest.raises(AmountInvalid, match="9 decimals"):
        parse_gwei("0.0000000001")
