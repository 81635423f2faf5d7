"""Our fast EIP-712 path against eth-account's slow one: hashes, signatures, recovered addresses."""

import re

import msgspec
import pytest
from eth_account import Account
from eth_account.messages import encode_typed_data
from hypothesis import given, settings
from hypothesis import strategies as st

from cuckoo.domain.errors import SignatureInvalid
from cuckoo.domain.task import RuntimeProfile, TaskParameters
from cuckoo.protocol import eip712
from cuckoo.protocol.receipts import Assignment, Receipt, Voucher, pixel_hash
from cuckoo.protocol.signing import Signer, check_signed_by, checksummed, recover

STAKING = "0x5FbDB2315678afecb367f032d93F642f64180aa3"
DOMAIN = eip712.Domain(31337, STAKING)
KEY = bytes(range(1, 33))
PARAMETERS = TaskParameters(
    salt=b"\7" * 32, model_digest="ab" * 32, prompt="빨간 사과", negative_prompt="blur", width_px=64, height_px=128,
    pictures=2, steps=16, scheduler="DDIMScheduler", guidance_thousandths=4_500, seed=2**62, reproducible=True,
)  # fmt: skip
ASSIGNMENT = Assignment(
    coordinator_node=1, miner_node=2, task_id="0f" * 16, attempt=1, sequence=9, parameters=PARAMETERS, price=10**20,
    deadline=1_700_000_000, seed_tip=b"\1" * 32, draw_index=5, draw_head=b"\2" * 32, draw_block=77,
)  # fmt: skip
PROFILE = RuntimeProfile(
    device="cpu", dtype="float32", torch="2.13.0", attention="sdpa", threads=1, isa="AVX2", batch_bucket=1,
)  # fmt: skip
RECEIPT = Receipt(
    assignment_hash=ASSIGNMENT.struct_hash(), picture_hashes=(b"\3" * 32, b"\4" * 32), latents_root=b"\5" * 32,
    profile=PROFILE, finished_at=1_700_000_001,
)  # fmt: skip


def _camel(name):
    return re.sub(r"_(.)", lambda match: match[1].upper(), name)


def _types(type_string):
    types = {}
    for name, fields in re.findall(r"(\w+)\(([^)]*)\)", type_string):
        types[name] = [dict(zip(("type", "name"), field.split(" "), strict=True)) for field in fields.split(",")]
    return types


def _values(struct):
    values = {}
    for name, value in msgspec.structs.asdict(struct).items():
        if isinstance(value, msgspec.Struct):
            values[_camel(name)] = _values(value)
        elif name in {"task_id", "model_digest"}:
            values[_camel(name)] = bytes.fromhex(value)
        else:
            values[_camel(name)] = list(value) if isinstance(value, tuple) else value
    return values


def _reference(type_string, values):
    name = type_string.split("(")[0]
    return encode_typed_data(
        full_message={
            "domain": {"name": "Cuckoo", "version": "1", "chainId": 31337, "verifyingContract": STAKING},
            "types": {
                "EIP712Domain": [
                    {"name": "name", "type": "string"}, {"name": "version", "type": "string"},
                    {"name": "chainId", "type": "uint256"}, {"name": "verifyingContract", "type": "address"},
                ],
                **_types(type_string),
            },
            "primaryType": name,
            "message": values,
        },
    )  # fmt: skip


CASES = {
    "assignment": (eip712.ASSIGNMENT, ASSIGNMENT.struct_hash(), _values(ASSIGNMENT)),
    "receipt": (eip712.RECEIPT, RECEIPT.struct_hash(), _values(RECEIPT)),
    "voucher": (
        eip712.VOUCHER,
        Voucher(coordinator_node=1, miner_node=2, cumulative=10**21).struct_hash(),
        {"coordinatorNode": 1, "minerNode": 2, "cumulative": 10**21},
    ),
    "evidence request": (
        eip712.EVIDENCE_REQUEST,
        eip712.hash_evidence_request(2, 7, b"\1" * 32, 99),
        {"minerNode": 2, "dispute": 7, "sha256": b"\1" * 32, "expiry": 99},
    ),
    "sign-in": (
        eip712.SIGN_IN,
        eip712.hash_sign_in(1, "http://127.0.0.1:8080", 2, b"\1" * 32, b"\2" * 32, 99),
        {
            "coordinatorNode": 1, "origin": "http://127.0.0.1:8080", "minerNode": 2, "minerNonce": b"\1" * 32,
            "coordinatorNonce": b"\2" * 32, "expiry": 99,
        },
    ),
    "consent": (
        eip712.OPERATOR_CONSENT,
        eip712.hash_operator_consent(STAKING, 1, Signer(KEY).address, 12),
        {"owner": STAKING, "role": 1, "operator": Signer(KEY).address, "deadline": 12},
    ),
}  # fmt: skip


@pytest.mark.parametrize("case", CASES)
def test_digest_and_signature__each_struct__equal_eth_accounts(case):
    type_string, struct_hash, values = CASES[case]
    reference = _reference(type_string, values)
    digest = DOMAIN.digest(struct_hash)
    signed = Account.sign_message(reference, KEY)
    assert digest == eip712.Hasher(DOMAIN).digest(struct_hash)
    assert digest == signed.message_hash
    signature = Signer(KEY).sign(digest)
    assert signature == bytes(signed.signature)
    assert recover(digest, signature) == Account.recover_message(reference, signature=signature)


@pytest.mark.parametrize("case", CASES)
def test_digest__one_wrong_character_in_the_type__differs(case):
    type_string, struct_hash, values = CASES[case]
    wrong = type_string.replace("uint64", "uint32", 1).replace("uint256", "uint128", 1)
    assert wrong != type_string
    assert Account.sign_message(_reference(wrong, values), KEY).message_hash != DOMAIN.digest(struct_hash)


@settings(max_examples=30)
@given(st.binary(min_size=32, max_size=32), st.binary(min_size=32, max_size=32))
def test_recover__any_key_and_digest__gives_the_signer(key, digest):
    try:
        signer = Signer(key)
    except ValueError:
        return
    assert signer.address == Account.from_key(key).address
    assert recover(digest, signer.sign(digest)) == signer.address


@pytest.mark.parametrize(
    "spoil",
    [
        lambda s: s[:64],
        lambda s: s[:64] + b"\x02",
        lambda s: bytes(64) + s[64:],
        lambda s: s[:32] + (2**256 - 1).to_bytes(32, "big") + s[64:],
        lambda s: b"\xff" * 32 + s[32:],
    ],
)
def test_recover__malformed__is_refused(spoil):
    digest = b"\1" * 32
    with pytest.raises(SignatureInvalid):
        recover(digest, spoil(Signer(KEY).sign(digest)))


def test_check_signed_by__another_signer__says_who():
    digest = b"\1" * 32
    with pytest.raises(SignatureInvalid, match=f"check receipt: signed by {Signer(KEY).address}, expected {STAKING}"):
        check_signed_by(digest, Signer(KEY).sign(digest), STAKING, "receipt")


def test_signer__repr__does_not_show_the_key():
    assert KEY.hex() not in repr(Signer(KEY))
    assert Signer(KEY).address in repr(Signer(KEY))


def test_checksummed__eip55_vector():
    raw = bytes.fromhex("5aaeb6053f3e94c9b9a09f33669435e7ef1beaed")
    assert checksummed(raw) == "0x5aAeb6053F3E94C9b9A09f33669435E7Ef1BeAed"


def test_pixel_hash__wrong_length__is_refused():
    assert len(pixel_hash(1, 2, bytes(6))) == 32
    assert pixel_hash(1, 2, bytes(6)) != pixel_hash(2, 1, bytes(6))
    with pytest.raises(ValueError, match="no RGB picture"):
        pixel_hash(1, 2, bytes(5))
