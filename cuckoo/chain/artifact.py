"""The compiled contracts that are shipped: ABI and bytecode."""

from functools import cache
from importlib.resources import files
from typing import Any

import msgspec


class Artifact(msgspec.Struct, frozen=True):
    """One compiled contract.

    Attributes:
        abi: as the compiler writes it.
        bytecode: what is sent to create it, before the constructor's arguments; hex with 0x.
        runtime: what then lies on the chain, hex with 0x; where ``immutables`` lie there are zeros.
        immutables: (start, length) in bytes of the places that the constructor fills.
    """

    abi: list[dict[str, Any]]
    bytecode: str
    runtime: str
    immutables: list[tuple[int, int]]

    def is_runtime_of(self, code: bytes) -> bool:
        """Say whether code read from a chain is this contract's, whatever its constructor was given."""
        expected, found = bytearray.fromhex(self.runtime[2:]), bytearray(code)
        if len(expected) != len(found):
            return False
        for start, length in self.immutables:
            found[start : start + length] = expected[start : start + length] = bytes(length)
        return expected == found


@cache
def load_artifact(name: str) -> Artifact:
    """Read the artifact of a contract, by the contract's name."""
    return msgspec.json.decode((files(__package__) / "artifacts" / f"{name}.json").read_bytes(), type=Artifact)
