"""One HTTP connection pool to one coordinator: bounded, without redirects, with errors of our own tree.

::

    no answer, 5xx            CoordinatorUnreachable   (TransientError: try again)
    503 or 429 with a reason  Unavailable, Overloaded, LimitReached  (PeerFault: after retry_after_s)
    401 403 404 409 413 422  NotSignedIn, KeyRefused, SignatureInvalid, NotFound, Conflict, BodyTooLarge, InvalidField
    451                       TakenDown
    3xx, other 4xx            PeerFault
"""

import ipaddress
import os
import socket
from collections.abc import AsyncIterator, Callable, Mapping
from contextlib import asynccontextmanager
from urllib.parse import urlsplit

import aiohttp
from aiohttp.abc import AbstractResolver, ResolveResult

from cuckoo.domain.errors import (
    BodyTooLarge,
    BodyTooSlow,
    ConfigError,
    Conflict,
    CoordinatorUnreachable,
    InvalidField,
    KeyRefused,
    LimitReached,
    NotEligible,
    NotFound,
    NotSignedIn,
    OfferExpired,
    OfferUsed,
    Overloaded,
    PeerFault,
    SignatureInvalid,
    TakenDown,
    Unavailable,
    UnknownVersion,
    WrongContentType,
)
from cuckoo.protocol.messages import ErrorBody, decode_json

Allowed = Callable[[str], bool]
"""Tells whether an IP address may be connected to."""

ANSWER_MAX_BYTES = 1_048_576
PICTURE_MAX_BYTES = 33_554_432
CALL_S = 20.0
_CONNECT_S = 10.0
_STREAM_BUFFER = 2**20
_RETRY_DEFAULT_S = 2.0
_PORTS = {"http": 80, "https": 443}
_BY_CODE: dict[str, type[PeerFault]] = {
    kind.code: kind
    for kind in (
        BodyTooLarge,
        BodyTooSlow,
        Conflict,
        KeyRefused,
        NotEligible,
        NotFound,
        NotSignedIn,
        OfferExpired,
        OfferUsed,
        SignatureInvalid,
        TakenDown,
        UnknownVersion,
        WrongContentType,
    )
}

_BUSY: dict[str, type[Overloaded]] = {kind.code: kind for kind in (Overloaded, Unavailable)}


def is_loopback(host: str) -> bool:
    """Tell whether a host or address is this machine itself."""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost" or host.endswith(".localhost")


def global_address(address: str) -> bool:
    """Tell whether an address belongs to the public internet, whatever notation hides it."""
    parsed = ipaddress.ip_address(address)
    mapped = getattr(parsed, "ipv4_mapped", None) or parsed
    return mapped.is_global and not mapped.is_multicast


def check_origin(url: str) -> str:
    """Return ``scheme://host[:port]`` of a URL that may be called, as both sides of a sign-in write it.

    Raises:
        ConfigError: not http or https, more than an origin, or plain http off loopback.
    """
    try:
        parts = urlsplit(url)
        host, port = parts.hostname or "", parts.port
    except ValueError as error:
        raise ConfigError(f"call {url}: {error}") from None
    if parts.scheme not in ("http", "https") or not host or parts.username is not None:
        raise ConfigError(f"call {url}: the address of a coordinator is https://host[:port]")
    if parts.path not in ("", "/") or parts.query or parts.fragment:
        raise ConfigError(f"call {url}: the address of a coordinator has no path: https://host[:port]")
    if parts.scheme == "http" and not is_loopback(host):
        raise ConfigError(f"call {url}: plain http works on this machine only; use https")
    shown = f"[{host}]" if ":" in host else host
    return f"{parts.scheme}://{shown}" + (f":{port}" if port not in (None, _PORTS[parts.scheme]) else "")


class _Resolver(AbstractResolver):
    """Resolves names, and gives out only addresses that may be connected to: what was checked is what is used."""

    def __init__(self, allowed: Allowed) -> None:
        self._inner = aiohttp.ThreadedResolver()
        self._allowed = allowed

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_INET
    ) -> list[ResolveResult]:
        found = await self._inner.resolve(host, port, family)
        allowed = [one for one in found if self._allowed(one["host"])]
        if not allowed:
            raise OSError(f"{host} resolves to no address that may be called")
        return allowed

    async def close(self) -> None:
        await self._inner.close()


class Http:
    """Calls to one origin."""

    def __init__(self, url: str, *, allowed: Allowed | None = None, headers: Mapping[str, str] | None = None) -> None:
        """Name the origin; nothing is opened before the first call.

        Args:
            url: ``https://host[:port]``, or ``http://`` on loopback.
            allowed: which addresses may be connected to; None for all.
            headers: sent with every call.

        Raises:
            ConfigError: it is no such address.
        """
        self.origin = check_origin(url)
        self._allowed = allowed
        self._headers = headers
        host = urlsplit(self.origin).hostname or ""
        if allowed is not None and _is_address(host) and not allowed(host):
            raise ConfigError(f"call {url}: this address may not be called")
        self._session: aiohttp.ClientSession | None = None

    def _open(self) -> aiohttp.ClientSession:
        if self._session is None:
            resolver = _Resolver(self._allowed) if self._allowed is not None else None
            self._session = aiohttp.ClientSession(
                connector=aiohttp.TCPConnector(limit=0, resolver=resolver, keepalive_timeout=60.0),
                headers=self._headers,
                cookie_jar=aiohttp.DummyCookieJar(),
                read_bufsize=_STREAM_BUFFER,
                trust_env=False,
            )
        return self._session

    async def close(self) -> None:
        """Close all connections."""
        if self._session is not None:
            await self._session.close()

    async def call(
        self,
        method: str,
        path: str,
        *,
        body: bytes | None = None,
        headers: Mapping[str, str] | None = None,
        timeout_s: float = CALL_S,
        limit: int = ANSWER_MAX_BYTES,
    ) -> bytes | None:
        """Call and return the answer's body, None for one without (204).

        Raises:
            CoordinatorUnreachable: no answer in time, or the server is broken.
            PeerFault: it refused; the message is the server's.
        """
        async with self.answer(method, path, body=body, headers=headers, timeout_s=timeout_s) as response:
            return None if response.status == 204 else await _read(response, limit)

    @asynccontextmanager
    async def answer(
        self,
        method: str,
        path: str,
        *,
        body: bytes | None = None,
        headers: Mapping[str, str] | None = None,
        timeout_s: float | None = CALL_S,
        silence_s: float | None = None,
    ) -> AsyncIterator[aiohttp.ClientResponse]:
        """Call and hand out the answer while it streams; raises as ``call``, also for what goes wrong inside.

        Args:
            method, path, body, headers: of the request.
            timeout_s: seconds for the whole, None for no limit.
            silence_s: longest time without a byte.
        """
        timeout = aiohttp.ClientTimeout(total=timeout_s, sock_connect=_CONNECT_S, sock_read=silence_s)
        try:
            async with self._open().request(
                method,
                self.origin + path,
                data=body,
                headers=headers,
                timeout=timeout,
                allow_redirects=False,
            ) as response:
                if response.status >= 300:
                    raise _refused(self.origin, method, path, response.status, await _read(response, ANSWER_MAX_BYTES))
                yield response
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            raise CoordinatorUnreachable(f"{method} {self.origin}{path}: {_reason(error)}") from error


def _reason(error: Exception) -> str:
    """Say what kept an answer from us in the system's own words, where it has some."""
    if isinstance(error, aiohttp.ClientConnectorError) and error.errno:
        return os.strerror(error.errno)
    return str(error) or type(error).__name__


async def _read(response: aiohttp.ClientResponse, limit: int) -> bytes:
    if response.content_length is not None and response.content_length > limit:
        raise PeerFault(f"read the answer of {response.url}: {response.content_length:,} bytes, at most {limit:,}")
    body = bytearray()
    async for chunk in response.content.iter_any():
        body += chunk
        if len(body) > limit:
            raise PeerFault(f"read the answer of {response.url}: more than {limit:,} bytes")
    return bytes(body)


def _refused(origin: str, method: str, path: str, status: int, body: bytes) -> Exception:
    doing = f"{method} {origin}{path}"
    if status < 400:
        return PeerFault(f"{doing}: it redirects (status {status}), and redirects are not followed")
    try:
        told = decode_json(body, ErrorBody)
    except PeerFault:
        told = ErrorBody(code="", message=f"{doing}: status {status}")
    retry_after_s = told.retry_after_s if told.retry_after_s is not None else _RETRY_DEFAULT_S
    if status == LimitReached.http_status:
        return LimitReached(told.message, retry_after_s)
    if status == Overloaded.http_status and told.code in _BUSY:
        return _BUSY[told.code](told.message, retry_after_s)
    if status >= 500:
        return CoordinatorUnreachable(f"{doing}: status {status}: {told.message}")
    if told.code == InvalidField.code:
        fault = InvalidField(told.field, "", told.limit)
        fault.args = (told.message,)
        return fault
    return _BY_CODE.get(told.code, PeerFault)(told.message)


def _is_address(host: str) -> bool:
    try:
        ipaddress.ip_address(host)
    except ValueError:
        return False
    return True
