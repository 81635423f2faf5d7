"""Why a contract refused, in words that say what to do."""

from collections.abc import Callable
from typing import Any

from eth_abi.abi import decode as abi_decode
from eth_abi.exceptions import DecodingError

from cuckoo.chain.artifact import load_artifact
from cuckoo.domain.amounts import COORDINATOR_MINIMUM, format_cai
from cuckoo.domain.errors import ConfigError
from cuckoo.domain.keccak import keccak256

_CONTRACTS = ("Staking", "CuckooToken", "Escrow", "Disputes", "BlockRandomness", "Timelock", "Faucet")


class Reverted(ConfigError):
    """A contract refused a call. ``name`` and ``arguments`` are those of its custom error."""

    code = "reverted"

    def __init__(self, message: str, name: str = "", arguments: dict[str, Any] | None = None) -> None:
        """Keep the custom error beside the sentence made of it."""
        super().__init__(message)
        self.name = name
        self.arguments = arguments or {}


def _missing(arguments: dict[str, Any]) -> str:
    return format_cai(arguments["required"] - arguments["actual"], grouped=False)


def _stake_too_low(a: dict[str, Any]) -> str:
    who = "coordinator" if a["required"] >= COORDINATOR_MINIMUM else "miner"
    return f"a {who} needs {format_cai(a['required'])} CAI of its own; here it would have {format_cai(a['actual'])}"


_SENTENCES: dict[str, Callable[[dict[str, Any]], str]] = {
    "IdleStakeTooLow": lambda a: (
        f"this takes {format_cai(a['required'])} CAI of idle stake and this wallet has {format_cai(a['actual'])}: "
        f"cuckoo stake deposit {_missing(a)}"
    ),
    "StakeTooLow": _stake_too_low,
    "AmountZero": lambda _: "the amount is 0; give one above it",
    "VoteTooLow": lambda a: f"a vote is at least {format_cai(a['required'])} CAI; this is {format_cai(a['actual'])}",
    "SharesTooFew": lambda a: f"only {a['actual']} shares are there, {a['required']} were asked for",
    "SharesZero": lambda _: "no shares were named",
    "BucketNotReached": lambda a: f"this stake comes free in {a['releasedAt'] - a['time']} s: try again then",
    "OperatorTaken": lambda a: (
        f"operator {a['operator']} belongs to node {a['node']} for ever: make a new key with cuckoo keys new"
    ),
    "OperatorZero": lambda _: "the operator is the zero address",
    "ConsentExpired": lambda _: "the operator's consent has expired: sign it again (check this machine's clock)",
    "ConsentInvalid": lambda a: f"the consent is by {a['recovered']}, not by the operator {a['operator']}",
    "IntroductionTooLong": lambda a: f"the introduction has {a['actual']} bytes, the limit is {a['limit']}",
    "CommissionTooHigh": lambda a: f"commission {a['actual'] / 100:g} % is above the limit of {a['limit'] / 100:g} %",
    "NodeUnknown": lambda a: f"there is no node {a['node']}: cuckoo stake nodes lists them",
    "NotOwner": lambda a: f"node {a['node']} does not belong to {a['caller']}",
    "NotPendingOwner": lambda a: f"node {a['node']} was not offered to {a['caller']}",
    "NotOperator": lambda a: f"{a['caller']} is not the operator of node {a['node']}",
    "NotCoordinator": lambda a: f"node {a['node']} is not a coordinator",
    "NotJailed": lambda a: f"node {a['node']} is not jailed",
    "StillJailed": lambda a: f"node {a['node']} is jailed until unix time {a['until']}",
    "EntriesArePaused": lambda a: f"entries are paused until unix time {a['until']}; every exit works meanwhile",
    "CooldownNotOver": lambda a: f"the faucet gave to {a['to']} already; again from unix time {a['availableAt']} on",
    "ERC20InsufficientBalance": lambda a: (
        f"{a['sender']} has {format_cai(a['balance'])} CAI in its wallet and needs {format_cai(a['needed'])}: "
        "on a test network, cuckoo faucet gives some"
    ),
    "ERC20InsufficientAllowance": lambda a: f"an approval of {format_cai(a['needed'])} CAI is missing",
}


def _custom_errors() -> dict[bytes, tuple[str, list[dict[str, Any]]]]:
    errors = {}
    for contract in _CONTRACTS:
        for entry in load_artifact(contract).abi:
            if entry["type"] == "error":
                signature = f"{entry['name']}({','.join(item['type'] for item in entry['inputs'])})"
                errors[keccak256(signature.encode())[:4]] = (entry["name"], entry["inputs"])
    return errors


def explain_revert(data: bytes, doing: str) -> Reverted:
    """Turn the data of a revert into an error that says why.

    Args:
        data: selector and arguments of a custom error, or of ``Error(string)``; may be empty.
        doing: what was being done: "register a miner".
    """
    if data[:4] == bytes.fromhex("08c379a0"):
        return Reverted(f"{doing}: {abi_decode(['string'], data[4:])[0]}")
    known = _custom_errors().get(data[:4])
    if known is None:
        return Reverted(f"{doing}: the contract refused without a reason that we know (0x{data.hex()})")
    name, inputs = known
    try:
        values = abi_decode([item["type"] for item in inputs], data[4:])
    except DecodingError:
        return Reverted(f"{doing}: {name}, with arguments that can not be read", name)
    arguments = {item["name"]: value for item, value in zip(inputs, values, strict=True)}
    sentence = _SENTENCES.get(name)
    listed = ", ".join(f"{key} {value}" for key, value in arguments.items())
    words = sentence(arguments) if sentence else f"{name} ({listed})" if listed else name
    return Reverted(f"{doing}: {words}", name, arguments)
