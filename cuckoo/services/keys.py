"""Which app calls: API keys, how often each may call, and who needs one."""

import asyncio

import structlog

from cuckoo.domain.errors import KeyRefused, LimitReached
from cuckoo.runtime.clock import Clock
from cuckoo.storage.keys import ApiKey, KeyBook, hash_key

log = structlog.get_logger(__name__)

REREAD_S = 1.0
_SCHEME = "bearer"
_MINUTE_S = 60.0


class AppKeys:
    """Lets apps in. Keys that the command line makes or revokes count within about a second."""

    def __init__(self, book: KeyBook, *, open_access: bool, clock: Clock) -> None:
        """Take the keys; call ``refresh`` before anybody is let in.

        Args:
            book: the keys on disk.
            open_access: whether apps without a key are let in.
            clock: time.
        """
        self._book = book
        self._open = open_access
        self._clock = clock
        self._version: int | None = None
        self._by_hash: dict[bytes, ApiKey] = {}
        self._calls: dict[int, tuple[float, float]] = {}

    async def run(self) -> None:
        """Take up changes of the keys, until cancelled."""
        while True:
            await self._clock.sleep(REREAD_S)
            await self.refresh()

    async def refresh(self) -> None:
        """Read the keys where somebody has changed them."""
        keys = await asyncio.to_thread(self._changed)
        if keys is not None:
            self._by_hash = {key.secret_hash: key for key in keys}
            valid = {key.key_id for key in keys if key.revoked_at is None}
            self._calls = {key_id: calls for key_id, calls in self._calls.items() if key_id in valid}
            log.info("API keys read", valid=len(valid), revoked=len(keys) - len(valid), needed=not self._open)

    def _changed(self) -> list[ApiKey] | None:
        version = self._book.version()
        if version == self._version:
            return None
        keys = self._book.read()
        self._version = version
        return keys

    def admit(self, authorization: str | None, *, guests: bool = False) -> ApiKey | None:
        """Find out who calls, and count the call.

        Args:
            authorization: the header of this name; None without one.
            guests: where access is open, take a key that is not known for none: some programs can not leave it out.

        Returns:
            The key; None for a caller without one where access is open.

        Raises:
            KeyRefused: a key is needed, or the one that came is not valid.
            LimitReached: it has called too often.
        """
        if authorization is None:
            if self._open:
                return None
            raise KeyRefused(
                'call as an app: this coordinator wants an API key: send the header "Authorization: Bearer KEY" '
                "(cuckoo generate: CUCKOO_API_KEY); its operator makes one with cuckoo coordinator keys create"
            )
        scheme, _, secret = authorization.partition(" ")
        if scheme.lower() != _SCHEME:
            raise KeyRefused('call as an app: the header Authorization has to be "Bearer KEY"')
        key = self._by_hash.get(hash_key(secret.strip()))
        if key is None and guests and self._open:
            return None
        if key is None:
            raise KeyRefused("call as an app: this API key is not known here; ask the operator for one")
        if key.revoked_at is not None:
            raise KeyRefused(f'call as an app: the API key "{key.name}" was revoked; ask the operator for a new one')
        self._count(key)
        return key

    def _count(self, key: ApiKey) -> None:
        """Take one call out of a key's bucket: it holds a minute's calls and fills evenly."""
        limit = key.limits.requests_per_minute
        now = self._clock.monotonic()
        left, at = self._calls.get(key.key_id, (float(limit), now))
        left = min(float(limit), left + (now - at) * limit / _MINUTE_S)
        if left < 1.0:
            self._calls[key.key_id] = (left, now)
            raise LimitReached(
                f'call as an app: the API key "{key.name}" may call {limit:,} times a minute',
                (1.0 - left) * _MINUTE_S / limit,
            )
        self._calls[key.key_id] = (left - 1.0, now)
