"""The compiled contracts that are shipped: ABI and bytecode."""

from functools import cache
from importlib.resources import files
from typing import Any

import msgspec


class Artifact(msgspec.Struct, frozen=True):
    """ABI and creation bytecode of one contract."""

    abi: list[dict[str, Any]]
    bytecode: str


@cache
def load_artifact(name: str) -> Artifact:
    """Read the artifact of ``CuckooToken``, ``Staking`` or ``Faucet``."""
    return msgspec.json.decode((files(__package__) / "artifacts" / f"{name}.json").read_bytes(), type=Artifact)
