"""A receipt travels inside a PNG file; the pixels stay what they are."""

import io

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace
from PIL import Image

from cuckoo.domain.errors import InvalidField
from cuckoo.protocol.png import receipt_in, with_receipt
from tests.support.receipts import PICTURE, receipt_view


@given(prompt=st.text(max_size=200))
def test_receipt__any_prompt__travels_and_the_pixels_stay(prompt):
    view = receipt_view()
    parameters = replace(view.assignment.parameters, prompt=prompt)
    view = replace(view, assignment=replace(view.assignment, parameters=parameters))
    carried = with_receipt(PICTURE, view)
    assert receipt_in(carried) == view
    with Image.open(io.BytesIO(PICTURE)) as before, Image.open(io.BytesIO(carried)) as after:
        after.load()
        assert after.tobytes() == before.tobytes()


@pytest.mark.parametrize(
    ("content", "says"),
    [(b"GIF89a", "must be a PNG"), (PICTURE, "must hold a receipt"), (PICTURE[:30], "must hold a receipt")],
    ids=["another format", "no receipt", "cut off"],
)
def test_receipt__not_there__says_so(content, says):
    with pytest.raises(InvalidField, match=says):
        receipt_in(content)


def test_receipt__spoilt__is_refused():
    carried = with_receipt(PICTURE, receipt_view())
    with pytest.raises(InvalidField):
        receipt_in(carried.replace(b'"assignment"', b'"assignmint"'))
