"""Which address calls, also through a proxy."""

import ipaddress
from collections.abc import Sequence

from aiohttp import web

from cuckoo.domain.errors import ConfigError

_IPV6_PREFIX = 64
_Address = ipaddress.IPv4Address | ipaddress.IPv6Address


class Callers:
    """Tells callers apart by their address; an IPv6 one counts with its /64, which one household has."""

    def __init__(self, trusted_proxies: Sequence[str]) -> None:
        """Name the proxies whose X-Forwarded-For is believed.

        Args:
            trusted_proxies: addresses, or networks such as 10.0.0.0/8.

        Raises:
            ConfigError: one is neither.
        """
        try:
            self._trusted = [ipaddress.ip_network(one) for one in trusted_proxies]
        except ValueError as error:
            raise ConfigError(
                f"read trusted_proxies: {error}; write addresses, or networks such as 10.0.0.0/8"
            ) from None

    def address_of(self, request: web.Request) -> str:
        """Return who calls: the last address of the way here that is no trusted proxy."""
        peer = _parsed(request.remote or "")
        if peer is None:
            return "unknown"
        way = [one.strip() for line in request.headers.getall("X-Forwarded-For", []) for one in line.split(",")]
        while way and self._trusts(peer):
            before = _parsed(way.pop())
            if before is None:
                break
            peer = before
        if isinstance(peer, ipaddress.IPv6Address):
            return str(ipaddress.ip_network((peer, _IPV6_PREFIX), strict=False))
        return str(peer)

    def _trusts(self, address: _Address) -> bool:
        return any(address in network for network in self._trusted)


def _parsed(text: str) -> _Address | None:
    try:
        address = ipaddress.ip_address(text)
    except ValueError:
        return None
    return getattr(address, "ipv4_mapped", None) or address
