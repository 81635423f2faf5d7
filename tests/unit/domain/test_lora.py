"""The list of LoRAs that a task names by its hash."""

import hashlib
from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cuckoo.domain.errors import InvalidField
from cuckoo.domain.lora import LORAS_MAX, Lora, decode_loras, encode_loras, lora_digests, loras_hash

DIGESTS = st.text("0123456789abcdef", min_size=64, max_size=64)
LORAS = st.lists(
    st.builds(Lora, digest=DIGESTS, weight_thousandths=st.integers(-2_000, 2_000)),
    max_size=LORAS_MAX,
    unique_by=lambda one: one.digest,
).map(tuple)


@given(LORAS)
def test_encode__any_list__comes_back_and_is_named_by_its_sha256(loras):
    payload = encode_loras(loras)
    assert decode_loras(payload) == loras
    assert loras_hash(payload) == (hashlib.sha256(payload).digest() if loras else bytes(32))
    assert lora_digests(payload) == {one.digest for one in loras}


@given(st.binary(min_size=1, max_size=100))
def test_decode__any_bytes__a_list_or_a_clear_refusal(payload):
    with suppress(InvalidField):
        decode_loras(payload)


@pytest.mark.parametrize(
    ("loras", "says"),
    [
        ([Lora(digest=f"{n:064x}", weight_thousandths=1) for n in range(LORAS_MAX + 1)], "at most 4"),
        ([Lora(digest="ab" * 32, weight_thousandths=1)] * 2, "each at most once"),
        ([Lora(digest="ab" * 32, weight_thousandths=2_001)], "weights must be -2 to 2"),
        ([Lora(digest="AB", weight_thousandths=1)], "64 lower-case hex"),
    ],
)
def test_decode__beyond_a_limit__names_it(loras, says):
    with pytest.raises(InvalidField, match=says):
        decode_loras(encode_loras(tuple(loras)))
