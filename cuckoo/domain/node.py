"""A registered node as the chain shows it, and the introduction it publishes about itself."""

import json

import msgspec

from cuckoo.domain.amounts import COORDINATOR_MINIMUM, MINER_MINIMUM, Wei
from cuckoo.domain.errors import InvalidField
from cuckoo.domain.identifiers import Address, NodeId, Role

INTRODUCTION_MAX_BYTES = 1_024


class Introduction(msgspec.Struct, frozen=True, kw_only=True, omit_defaults=True):
    """The JSON that a node publishes about itself: claims, not facts."""

    name: str
    text: str = ""
    url: str = ""
    location: str = ""
    links: tuple[str, ...] = ()


class Node(msgspec.Struct, frozen=True, kw_only=True):
    """A registered node at one block. Amounts in wei.

    Attributes:
        weight_wei: recorded weight; above zero exactly when the node is eligible.
        own_wei, votes_wei: all tokens behind it, unbonding ones included.
        own_active_wei, votes_active_wei: those that count.
        floor_wei: own active stake below which it loses its weight.
        jailed_until: unix seconds; 0 when it is not jailed.
        introduction: JSON text, at most 1,024 bytes, not to be trusted.
    """

    node_id: NodeId
    role: Role
    owner: Address
    operator: Address
    weight_wei: Wei
    own_wei: Wei
    own_active_wei: Wei
    votes_wei: Wei
    votes_active_wei: Wei
    floor_wei: Wei
    commission_bps: int
    max_commission_bps: int
    jailed_until: int = 0
    introduction: str = ""

    @property
    def eligible(self) -> bool:
        """Whether it carries weight in draws and rewards."""
        return self.weight_wei > 0

    @property
    def url(self) -> str:
        """The address that a coordinator's introduction names, or "" when it names none that can be read."""
        try:
            return parse_introduction(self.introduction).url
        except InvalidField:
            return ""


def minimum_own_stake(role: Role) -> Wei:
    """The own stake that registration of a role takes, on every network."""
    return MINER_MINIMUM if role is Role.MINER else COORDINATOR_MINIMUM


def parse_introduction(text: str) -> Introduction:
    """Read an introduction from the chain; unknown fields are ignored.

    Raises:
        InvalidField: too long, not JSON, or fields of other types.
    """
    if len(text.encode(errors="replace")) > INTRODUCTION_MAX_BYTES:
        raise InvalidField("introduction", f"{len(text)} characters", f"at most {INTRODUCTION_MAX_BYTES:,} bytes")
    try:
        return msgspec.json.decode(text, type=Introduction)
    except (msgspec.MsgspecError, UnicodeError) as error:
        raise InvalidField(
            "introduction", text, f"must be JSON with name, text, url, location, links: {error}"
        ) from None


def encode_introduction(introduction: Introduction) -> str:
    """Write an introduction as compact JSON; raises InvalidField above 1,024 bytes."""
    text = json.dumps(msgspec.to_builtins(introduction), separators=(",", ":"), ensure_ascii=False)
    parse_introduction(text)
    return text
