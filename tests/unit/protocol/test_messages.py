"""What goes over the wire comes back the same, and nonsense is named."""

import sys

import msgspec
import pytest

from cuckoo.domain.errors import InvalidField, UnknownVersion
from cuckoo.protocol import messages, routes
from cuckoo.protocol.receipts import Voucher
from tests.unit.protocol.test_signing import ASSIGNMENT, RECEIPT

SAMPLES = [
    messages.SignedAssignment(assignment=ASSIGNMENT, signature=b"\1" * 65, prefetched=True),
    messages.ResultUpload(receipt=RECEIPT, signature=b"\2" * 65, pictures=(b"png",)),
    messages.SubmitReply(
        voucher=messages.SignedVoucher(
            voucher=Voucher(coordinator_node=1, miner_node=2, cumulative=2**100), signature=b"\3" * 65,
        ),
    ),
    messages.SubmitReply(),
    messages.TaskRequest(prompt="x", guidance=7.5, seed=2**60),
    messages.Poll(slot=0, models=("ab" * 32,)),
    messages.Progress(step=1, steps=4, preview=b"\0\1"),
]  # fmt: skip


@pytest.mark.parametrize("message", SAMPLES, ids=lambda m: type(m).__name__)
def test_json__round_trip__is_equal(message):
    assert messages.decode_json(messages.encode_json(message), type(message)) == message


def test_binary__round_trip__is_equal():
    upload = SAMPLES[1]
    assert messages.decode_binary(messages.encode_binary(upload), messages.ResultUpload) == upload


def test_binary__amounts_that_msgpack_has_no_integer_for__come_back():
    assignment = msgspec.structs.replace(ASSIGNMENT, price=10**24)
    assert messages.decode_binary(messages.encode_binary(assignment), type(assignment)) == assignment


def test_json__large_integers__are_decimal_strings():
    assert b'"price":"100000000000000000000"' in messages.encode_json(SAMPLES[0])


def test_json__small_amounts__are_decimal_strings_too():
    free = msgspec.structs.replace(ASSIGNMENT, price=0)
    assert b'"price":"0"' in messages.encode_json(free)
    assert messages.decode_json(messages.encode_json(free), type(free)) == free


@pytest.mark.parametrize(
    ("body", "field"),
    [
        (b"", "body"),
        (b"{", "body"),
        (b"[" * 100_000, "body"),
        (b"[]", "body"),
        (b"{}", "body"),
        (b"\xff", "body"),
        (b'{"prompt": 1}', "prompt"),
        (b'{"prompt": "x", "steps": "many"}', "steps"),
        (b'{"prompt": "x", "steps": 1.5}', "steps"),
        (b'{"prompt": "x", "guidance": NaN}', "body"),
        (b'{"prompt": "x", "promt": "y"}', "body"),
    ],
)
def test_decode_json__broken__names_the_field(body, field):
    with pytest.raises(InvalidField) as caught:
        messages.decode_json(body, messages.TaskRequest)
    assert caught.value.field == field


@pytest.mark.parametrize("decode", [messages.decode_json, messages.decode_binary])
def test_decode__deep_nesting_under_a_raised_recursion_limit__is_refused(decode):
    sys.setrecursionlimit(100_000)  # as py_ecc does when web3 is imported
    body = (b"[" if decode is messages.decode_json else b"\x91") * 500_000
    with pytest.raises(InvalidField):
        decode(body, messages.TaskRequest)


def test_decode_json__bad_hex__is_refused():
    with pytest.raises(InvalidField, match="hex digits"):
        messages.decode_json(b'{"step": 1, "steps": 2, "preview": "xy"}', messages.Progress)


def test_decode_json__unknown_version__says_which():
    with pytest.raises(UnknownVersion, match="version 2 is unknown here"):
        messages.decode_json(b'{"version": 2, "slot": 0, "models": []}', messages.Poll)


@pytest.mark.parametrize("body", [b"", b"\xc1", b"\x80", b"\x91" * 5_000])
def test_decode_binary__broken__is_refused(body):
    with pytest.raises(InvalidField):
        messages.decode_binary(body, messages.ResultUpload)


def test_routes__each__has_a_name_and_path_of_its_own():
    every = (*routes.MINER_ROUTES, *routes.PUBLIC_ROUTES)
    assert len({route.name for route in every}) == len(every)
    assert len({(route.method, route.path) for route in every}) == len(every)
    for route in routes.MINER_ROUTES:
        assert route.request is None or issubclass(route.request, msgspec.Struct)
