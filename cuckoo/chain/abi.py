"""Fast ABI decoding of what is read by the thousand: rows of nodes, and events.

web3 decodes field by field through several layers, which takes a millisecond a row; ten thousand miners would take the
better part of a minute.
"""

from collections.abc import Mapping
from typing import Any

from eth_abi.abi import decode
from eth_utils.address import to_checksum_address

from cuckoo.domain.amounts import Wei
from cuckoo.domain.identifiers import Address, NodeId, Role
from cuckoo.domain.keccak import keccak256
from cuckoo.domain.node import Node

WORD = 32
ROW_WORDS = 24
"""Words of the contract's struct NodeView, all of whose fields have a fixed size."""


def selector(signature: str) -> bytes:
    """Return the four bytes that name a function such as ``nodeOf(uint32)``."""
    return keccak256(signature.encode())[:4]


def uints(*numbers: int) -> bytes:
    """Encode arguments that are unsigned integers."""
    return b"".join(number.to_bytes(WORD, "big") for number in numbers)


def decode_node(data: bytes, at: int = 0) -> Node:
    """Decode a NodeView; ``at``: its offset in bytes."""
    words = [int.from_bytes(data[place : place + WORD], "big") for place in range(at, at + ROW_WORDS * WORD, WORD)]
    own, votes = words[8:13], words[13:18]
    return Node(
        node_id=NodeId(words[0]),
        role=Role(words[1]),
        owner=_address(words[2]),
        operator=_address(words[3]),
        weight_wei=Wei(words[6]),
        floor_wei=Wei(words[7]),
        own_wei=Wei(own[0]),
        own_active_wei=Wei(own[3]),
        votes_wei=Wei(votes[0]),
        votes_active_wei=Wei(votes[3]),
        commission_bps=words[18],
        max_commission_bps=words[19],
        jailed_until=words[22],
    )


def decode_page(data: bytes) -> tuple[list[Node], int]:
    """Decode the answer of ``Staking.nodes``: rows, and the cursor of the next page (0: there is none)."""
    at, cursor = (int.from_bytes(data[place : place + WORD], "big") for place in (0, WORD))
    count = int.from_bytes(data[at : at + WORD], "big")
    first = at + WORD
    return [decode_node(data, first + row * ROW_WORDS * WORD) for row in range(count)], cursor


def _address(number: int) -> Address:
    return Address(to_checksum_address(number.to_bytes(20, "big")))


class EventKind:
    """One event of an ABI.

    Attributes:
        name: as the ABI has it.
        topic: the first topic of its logs.
    """

    def __init__(self, entry: Mapping[str, Any]) -> None:
        """Take an ABI's entry; its types are elementary ones."""
        self.name: str = entry["name"]
        self.topic = keccak256(f"{self.name}({','.join(item['type'] for item in entry['inputs'])})".encode())
        self._indexed = [(item["name"], item["type"]) for item in entry["inputs"] if item["indexed"]]
        self._others = [(item["name"], item["type"]) for item in entry["inputs"] if not item["indexed"]]
        # Anybody may register a text that is no UTF-8; that must not stop those who read it.
        self._types = ["bytes" if kind == "string" else kind for _, kind in self._others]

    def arguments(self, topics: list[bytes], data: bytes) -> dict[str, Any]:
        """Decode a log: ``topics`` with the first one, ``data`` as it is."""
        found = {
            name: _plain(kind, decode([kind], topic)[0])
            for (name, kind), topic in zip(self._indexed, topics[1:], strict=True)
        }
        values = decode(self._types, data)
        return found | {name: _plain(kind, value) for (name, kind), value in zip(self._others, values, strict=True)}


def _plain(kind: str, value: Any) -> Any:
    if kind == "address":
        return to_checksum_address(value)
    return value.decode(errors="replace") if kind == "string" else value
