"""Golden vectors: what coincurve and our own hashing make of them, and what eth-account does.

The Solidity side of the same file is contracts/test/Golden.t.sol.
"""

import importlib.util
import json
import re
from pathlib import Path

import pytest
from eth_account import Account
from eth_account.messages import encode_typed_data

from cuckoo.domain.keccak import keccak256
from cuckoo.protocol import eip712
from cuckoo.protocol.signing import Signer, recover

GOLDEN = Path(__file__).resolve().parents[3] / "contracts" / "test" / "golden"
FILE = json.loads((GOLDEN / "vectors.json").read_text("utf-8"))
STRUCTS = ("operatorConsent", "signIn", "taskParameters", "assignment", "receipt", "voucher")


@pytest.fixture(scope="module")
def golden():
    spec = importlib.util.spec_from_file_location("golden_vectors", GOLDEN / "vectors.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def _types(type_string):
    return {
        name: [dict(zip(("type", "name"), field.split(" "), strict=True)) for field in fields.split(",")]
        for name, fields in re.findall(r"(\w+)\(([^)]*)\)", type_string)
    }


def _values(types, struct, fields):
    values = {}
    for field in types[struct]:
        value = fields[field["name"]]
        if field["type"] in types:
            value = _values(types, field["type"], value)
        elif field["type"].startswith("uint"):
            value = int(value)
        values[field["name"]] = value
    return values


def _by_eth_account(name, *, renamed=lambda type_string: type_string):
    vector = FILE[name]
    types = _types(renamed(vector["type"]))
    primary = vector["type"].split("(")[0]
    domain = {"name": "string", "version": "string", "chainId": "uint256", "verifyingContract": "address"}
    return encode_typed_data(
        full_message={
            "domain": {
                "name": "Cuckoo", "version": "1", "chainId": int(FILE["chainId"]), "verifyingContract": FILE["staking"],
            },
            "types": {"EIP712Domain": [{"name": key, "type": kind} for key, kind in domain.items()], **types},
            "primaryType": primary,
            "message": _values(types, primary, vector["fields"]),
        },
    )  # fmt: skip


def _by_cuckoo(golden):
    """What our own code makes of each example now, beside what stands in the file."""
    fresh = golden.vectors()
    return {name for name in STRUCTS if fresh[name] != FILE[name]}


def test_vectors__file__is_what_our_code_writes(golden):
    assert (GOLDEN / "vectors.json").read_text("utf-8") == golden.text(), "run: python contracts/test/golden/vectors.py"


@pytest.mark.parametrize("name", STRUCTS)
def test_vector__through_coincurve__recovers_the_signer(name):
    vector = FILE[name]
    domain = eip712.Domain(int(FILE["chainId"]), FILE["staking"])
    assert domain.separator.hex() == FILE["domainSeparator"][2:]
    digest = domain.digest(bytes.fromhex(vector["structHash"][2:]))
    assert digest.hex() == vector["digest"][2:]
    assert Signer(bytes.fromhex(FILE["privateKey"][2:])).sign(digest).hex() == vector["signature"][2:]
    assert recover(digest, bytes.fromhex(vector["signature"][2:])) == FILE["signer"]


@pytest.mark.parametrize("name", STRUCTS)
def test_vector__through_eth_account__same_hash_signature_and_signer(name):
    vector = FILE[name]
    message = _by_eth_account(name)
    assert message.header.hex() == FILE["domainSeparator"][2:]
    assert message.body.hex() == vector["structHash"][2:]
    signed = Account.sign_message(message, FILE["privateKey"])
    assert signed.message_hash.hex() == vector["digest"][2:]
    assert signed.signature.hex() == vector["signature"][2:]
    assert Account.recover_message(message, signature=vector["signature"]) == FILE["signer"]


TYPE_HASHES = {
    "operatorConsent": ("_OPERATOR_CONSENT_HASH", eip712.OPERATOR_CONSENT),
    "signIn": ("_SIGN_IN_HASH", eip712.SIGN_IN),
    "taskParameters": ("_TASK_PARAMETERS_HASH", eip712.TASK_PARAMETERS),
    "assignment": ("_ASSIGNMENT_HASH", eip712.ASSIGNMENT),
    "receipt": ("_RECEIPT_HASH", eip712.RECEIPT),
    "voucher": ("_VOUCHER_HASH", eip712.VOUCHER),
}


@pytest.mark.parametrize("name", STRUCTS)
def test_vector__one_character_of_our_type_string_is_wrong__caught(name, golden, monkeypatch):
    constant, type_string = TYPE_HASHES[name]
    assert getattr(eip712, constant) == keccak256(type_string.encode())
    assert not _by_cuckoo(golden)
    for position in range(0, len(type_string), 7):
        wrong = type_string[:position] + chr(ord(type_string[position]) ^ 1) + type_string[position + 1 :]
        monkeypatch.setattr(eip712, constant, keccak256(wrong.encode()))
        assert name in _by_cuckoo(golden)


@pytest.mark.parametrize("name", STRUCTS)
def test_vector__one_type_is_another_in_eth_account__caught(name):
    def narrowed(type_string):
        return re.sub(r"uint(256|64)", "uint128", type_string, count=1)

    message = _by_eth_account(name, renamed=narrowed)
    assert message.body.hex() != FILE[name]["structHash"][2:]
    assert Account.recover_message(message, signature=FILE[name]["signature"]) != FILE["signer"]
