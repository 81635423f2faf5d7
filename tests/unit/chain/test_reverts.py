"""A revert says why, in words."""

import pytest
from eth_abi.abi import encode

from cuckoo.chain.artifact import load_artifact
from cuckoo.chain.reverts import _SENTENCES, explain_revert
from cuckoo.domain.keccak import keccak256


def _data(signature, *values):
    types = signature[signature.index("(") + 1 : -1]
    return keccak256(signature.encode())[:4] + encode(types.split(",") if types else [], values)


@pytest.mark.parametrize(
    ("data", "words"),
    [
        (_data("IdleStakeTooLow(uint256,uint256)", 20_000 * 10**18, 12_000 * 10**18), "cuckoo stake deposit 8000"),
        (_data("StakeTooLow(uint256,uint256)", 20_000 * 10**18, 1), "a miner needs 20,000 CAI of its own"),
        (_data("StakeTooLow(uint256,uint256)", 2_000_000 * 10**18, 1), "a coordinator needs 2,000,000 CAI"),
        (_data("CommissionTooHigh(uint256,uint256)", 2_000, 2_500), "25 % is above the limit of 20 %"),
        (_data("Error(string)", "old style"), "old style"),
        (_data("TipZero()"), "TipZero"),
        (b"\1\2\3\4", "without a reason that we know (0x01020304)"),
        (b"", "without a reason"),
        (keccak256(b"NodeUnknown(uint32)")[:4], "arguments that can not be read"),
    ],
)
def test_explain_revert__each_kind__says_what_was_done_and_why(data, words):
    error = explain_revert(data, "do it")
    assert str(error).startswith("do it: ")
    assert words in str(error)


def test_sentences__each__is_for_an_error_that_exists():
    known = {
        entry["name"]
        for contract in ("Staking", "CuckooToken", "Faucet")
        for entry in load_artifact(contract).abi
        if entry["type"] == "error"
    }
    assert set(_SENTENCES) <= known
