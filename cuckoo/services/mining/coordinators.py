"""Which coordinators may be called, read from what they published on chain."""

import ipaddress
from collections.abc import Iterable
from dataclasses import dataclass
from urllib.parse import urlsplit

import structlog

from cuckoo.domain.amounts import Wei
from cuckoo.domain.errors import InvalidField
from cuckoo.domain.identifiers import Address, NodeId, Role
from cuckoo.domain.network import DEVNET_CHAIN_ID
from cuckoo.domain.node import Node

log = structlog.get_logger(__name__)

_DEFAULT_PORTS = {"http": 80, "https": 443}


@dataclass(frozen=True)
class Coordinator:
    """A coordinator that may be called: its key and its address as the chain shows them."""

    node_id: NodeId
    operator: Address
    origin: str
    weight_wei: Wei


def origin_of(url: str, *, loopback_allowed: bool) -> str:
    """Return ``scheme://host[:port]`` of a coordinator's URL, when it is one that may be called.

    An introduction is written by a stranger: it must not send a miner to its own router or database. Names are
    resolved, and the addresses checked, by the client when it connects.

    Args:
        url: as the introduction names it.
        loopback_allowed: on the devnet, where plain HTTP to this host is fine.

    Raises:
        InvalidField: no https URL of a public host, or one with more than an origin.
    """
    try:
        parts = urlsplit(url)
        host, port = (parts.hostname or "").lower(), parts.port
    except ValueError as error:
        raise InvalidField("url", url, f"must be https://host[:port]: {error}") from None
    if parts.scheme not in _DEFAULT_PORTS or not host or not host.isascii():
        raise InvalidField("url", url, "must be https://host[:port] in ASCII")
    if parts.username is not None or parts.path not in ("", "/") or parts.query or parts.fragment:
        raise InvalidField("url", url, "must be an origin only, without user, path, query or fragment")
    if _is_loopback(host):
        if not loopback_allowed:
            raise InvalidField("url", url, "must not be this host itself (that is for the devnet)")
    else:
        if parts.scheme != "https":
            raise InvalidField("url", url, "must be https off loopback")
        if not _may_be_global(host):
            raise InvalidField("url", url, "must be a host on a global address")
    shown = f"[{host}]" if ":" in host else host
    return f"{parts.scheme}://{shown}" + (f":{port}" if port not in (None, _DEFAULT_PORTS[parts.scheme]) else "")


def _address(host: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        return None
    return getattr(address, "ipv4_mapped", None) or address


def _is_loopback(host: str) -> bool:
    address = _address(host)
    return address.is_loopback if address is not None else host == "localhost" or host.endswith(".localhost")


def _may_be_global(host: str) -> bool:
    address = _address(host)
    return address is None or (address.is_global and not address.is_multicast)


def callable_coordinators(nodes: Iterable[Node], chain_id: int) -> dict[NodeId, Coordinator]:
    """Return the eligible coordinators whose introduction names a URL that may be called, by node id."""
    found = {}
    for node in nodes:
        if node.role is not Role.COORDINATOR or not node.eligible or not node.url:
            continue
        try:
            origin = origin_of(node.url, loopback_allowed=chain_id == DEVNET_CHAIN_ID)
        except InvalidField as fault:
            log.debug("coordinator left out", coordinator=node.node_id, reason=str(fault))
            continue
        found[node.node_id] = Coordinator(
            node_id=node.node_id, operator=node.operator, origin=origin, weight_wei=node.weight_wei
        )
    return found
