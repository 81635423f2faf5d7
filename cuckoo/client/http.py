"""HTTP to a coordinator: bounded answers, no redirects, errors of our own tree."""

import asyncio
import ipaddress
import socket
from collections.abc import Mapping
from typing import Self, TypeVar
from urllib.parse import urlsplit

import aiohttp
import msgspec
from aiohttp.abc import AbstractResolver, ResolveResult

from cuckoo.domain.errors import (
    ConfigError,
    Conflict,
    CoordinatorUnreachable,
    InvalidField,
    NotFound,
    NotSignedIn,
    Overloaded,
    PeerFault,
    SignatureInvalid,
    UnknownVersion,
)
from cuckoo.protocol.messages import ErrorBody, decode_json, encode_binary, encode_json
from cuckoo.protocol.routes import Route

T = TypeVar("T")
ANSWER_LIMIT_BYTES = 64 * 2**20
CONNECT_TIMEOUT_S = 10.0
_FAULTS: dict[str, type[PeerFault]] = {
    kind.code: kind for kind in (PeerFault, UnknownVersion, SignatureInvalid, NotFound, Conflict, NotSignedIn)
}


class _Resolver(AbstractResolver):
    """Resolves names to global addresses only, so that an introduction can not point into a private network."""

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_INET
    ) -> list[ResolveResult]:
        loop = asyncio.get_running_loop()
        found = await loop.getaddrinfo(host, port, type=socket.SOCK_STREAM, family=family)
        results: list[ResolveResult] = []
        for kind, _, protocol, _, address in found:
            text = str(address[0])
            if ipaddress.ip_address(text.split("%", maxsplit=1)[0]).is_global:
                results.append(
                    ResolveResult(hostname=host, host=text, port=port, family=kind, proto=protocol, flags=0),
                )
        if not results:
            raise OSError(f"{host} has no global address")
        return results

    async def close(self) -> None:
        """Nothing is kept open."""


def is_loopback(origin: str) -> bool:
    """Whether an origin is this machine itself."""
    host = urlsplit(origin).hostname or ""
    try:
        return ipaddress.ip_address(host).is_loopback
    except ValueError:
        return host == "localhost"


class Http:
    """One origin. HTTPS is required off loopback."""

    def __init__(self, origin: str, *, strangers: bool) -> None:
        """Bind to an origin.

        Args:
            origin: scheme://host[:port].
            strangers: the origin was written by a stranger: names resolve to global addresses only.

        Raises:
            ConfigError: it is no URL, or plain HTTP to another machine.
        """
        parts = urlsplit(origin)
        if parts.scheme not in ("http", "https") or not parts.hostname:
            raise ConfigError(f"connect to {origin}: write it as https://host or http://127.0.0.1:8080")
        if parts.scheme == "http" and not is_loopback(origin):
            raise ConfigError(f"connect to {origin}: HTTPS is required for another machine")
        self.origin = origin.rstrip("/")
        self._guarded = strangers and not is_loopback(origin)
        self._session: aiohttp.ClientSession | None = None

    async def __aenter__(self) -> Self:
        """Return itself; connections are opened when they are needed."""
        return self

    async def __aexit__(self, *_: object) -> None:
        """Close all connections."""
        await self.close()

    async def close(self) -> None:
        """Close all connections."""
        if self._session is not None:
            await self._session.close()
            self._session = None

    @property
    def session(self) -> aiohttp.ClientSession:
        """The open session; opened at first use, inside the running loop."""
        if self._session is None:
            resolver = _Resolver() if self._guarded else None
            connector = aiohttp.TCPConnector(limit=0, resolver=resolver)
            self._session = aiohttp.ClientSession(connector=connector, cookie_jar=aiohttp.DummyCookieJar())
        return self._session

    async def call(
        self,
        route: Route,
        reply: type[T],
        *,
        body: msgspec.Struct | None = None,
        token: str = "",
        timeout_s: float = 60.0,
        headers: dict[str, str] | None = None,
        path: Mapping[str, object] | None = None,
    ) -> T | None:
        """Call a route.

        Args:
            route: from the table.
            reply: what comes back; the route's reply type.
            body: the request, or None.
            token: bearer token, or "".
            timeout_s: for the whole call.
            headers: more headers.
            path: values for what stands in braces in the route's path.

        Returns:
            The reply; None when the answer has no content (204).

        Raises:
            CoordinatorUnreachable: no answer, or a server error.
            PeerFault: the refusal that was answered, under its own class.
        """
        payload = None if body is None else (encode_binary(body) if route.binary else encode_json(body))
        sent = dict(headers or {})
        if payload is not None:
            sent["Content-Type"] = "application/msgpack" if route.binary else "application/json"
        answer, status = await self.raw(
            route.method,
            route.path.format(**(path or {})),
            payload=payload,
            token=token,
            timeout_s=timeout_s,
            headers=sent,
        )
        if status == 204:
            return None
        return decode_json(answer, reply)

    async def raw(
        self,
        method: str,
        path: str,
        *,
        payload: bytes | None = None,
        token: str = "",
        timeout_s: float = 60.0,
        headers: dict[str, str] | None = None,
    ) -> tuple[bytes, int]:
        """Call a path; returns body and status. Raises as :meth:`call`."""
        sent = dict(headers or {})
        if token:
            sent["Authorization"] = f"Bearer {token}"
        timeout = aiohttp.ClientTimeout(total=timeout_s, sock_connect=CONNECT_TIMEOUT_S)
        doing = f"{method} {self.origin}{path}"
        try:
            async with self.session.request(
                method, self.origin + path, data=payload, headers=sent, timeout=timeout, allow_redirects=False
            ) as response:
                answer = await read_bounded(response, doing)
                if response.status >= 300:
                    raise fault(response.status, answer, doing)
                return answer, response.status
        except (aiohttp.ClientError, TimeoutError, OSError) as error:
            raise CoordinatorUnreachable(f"{doing}: {str(error) or type(error).__name__}") from error


async def read_bounded(response: aiohttp.ClientResponse, doing: str) -> bytes:
    """Read an answer of at most 64 MiB; raises PeerFault for a longer one."""
    parts, total = [], 0
    async for part in response.content.iter_chunked(2**16):
        total += len(part)
        if total > ANSWER_LIMIT_BYTES:
            raise PeerFault(f"{doing}: the answer is longer than {ANSWER_LIMIT_BYTES:,} bytes")
        parts.append(part)
    return b"".join(parts)


def fault(status: int, body: bytes, doing: str) -> Exception:
    """Turn a refusal into the error it names."""
    try:
        refusal = decode_json(body, ErrorBody)
    except PeerFault:
        refusal = ErrorBody(code="", message=f"HTTP {status}")
    message = f"{doing}: {refusal.message}"
    if refusal.retry_after_s is not None and status in (429, 503):
        return Overloaded(message, refusal.retry_after_s)
    if status >= 500:
        return CoordinatorUnreachable(f"{message} (HTTP {status})")
    if refusal.code == InvalidField.code:
        return InvalidField(refusal.field, "", refusal.limit, message=refusal.message)
    return _FAULTS.get(refusal.code, PeerFault)(message)
