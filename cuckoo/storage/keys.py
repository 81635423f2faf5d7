"""The API keys of a coordinator, in a database of their own.

Apart from the coordinator's, because that one has a single writer process: here the command line writes and the role
reads, whichever of them runs. SQLite's own locks keep two commands apart; readers never wait for them (WAL).
"""

import hashlib
import re
import secrets
import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import msgspec

from cuckoo.domain.errors import ConfigError

KEYS_NAME = "keys.sqlite"
PREFIX = "cuckoo_"
_SECRET_BYTES = 32
_ID_BYTES = 6
_BUSY_S = 5.0
_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,39}")
_SCHEMA = """
CREATE TABLE IF NOT EXISTS api_keys (
    key_id              INTEGER PRIMARY KEY,
    name                TEXT NOT NULL UNIQUE,
    secret_hash         BLOB NOT NULL UNIQUE CHECK (length(secret_hash) = 32),
    created_at          REAL NOT NULL,
    revoked_at          REAL,
    requests_per_minute INTEGER NOT NULL,
    open_tasks          INTEGER NOT NULL,
    spend_per_day_wei   TEXT
) STRICT
"""


class Limits(msgspec.Struct, frozen=True, kw_only=True):
    """What an API key may use.

    Attributes:
        requests_per_minute: >= 1; as many may come at once.
        open_tasks: tasks that wait or run at a time, and event streams, >= 1.
        spend_per_day_wei: what its tasks of a day (UTC) may cost; None without a limit.
    """

    requests_per_minute: int = 600
    open_tasks: int = 100
    spend_per_day_wei: int | None = None


class ApiKey(msgspec.Struct, frozen=True, kw_only=True):
    """An API key as it is kept. Times are unix seconds.

    Attributes:
        key_id: owns tasks. Made from the hash, so that it is never given twice, also after this file was lost.
        secret_hash: sha256 of the key. That is enough for 256 random bits: nobody can try them out, so there is nothing
            that a slow hash or a salt would protect.
        revoked_at: None while it is valid.
    """

    key_id: int
    name: str
    secret_hash: bytes
    created_at: float
    limits: Limits
    revoked_at: float | None = None


def hash_key(secret: str) -> bytes:
    """Return what is kept of a key."""
    return hashlib.sha256(secret.encode("utf-8", "surrogateescape")).digest()


class KeyBook:
    """The keys on disk. Calls block for a moment; a lock held elsewhere, for 5 s at most."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        """Use :func:`open_keys`."""
        self._connection = connection

    def create(self, name: str, limits: Limits, at: float) -> tuple[str, ApiKey]:
        """Make a key.

        Args:
            name: for people; of one key only, for ever.
            limits: see there.
            at: unix seconds.

        Returns:
            The key itself, which is nowhere kept, and what is.

        Raises:
            ConfigError: the name is taken, or no name.
        """
        if not _NAME.fullmatch(name):
            raise ConfigError(f'create key "{name}": a name has 1 to 40 letters, digits, dots, dashes or underscores')
        secret = PREFIX + secrets.token_urlsafe(_SECRET_BYTES)
        digest = hash_key(secret)
        key = ApiKey(
            key_id=int.from_bytes(digest[:_ID_BYTES], "big"),
            name=name,
            secret_hash=digest,
            created_at=at,
            limits=limits,
        )
        spend = limits.spend_per_day_wei
        try:
            self._connection.execute(
                "INSERT INTO api_keys VALUES (?, ?, ?, ?, NULL, ?, ?, ?)",
                (
                    key.key_id,
                    name,
                    digest,
                    at,
                    limits.requests_per_minute,
                    limits.open_tasks,
                    None if spend is None else str(spend),
                ),
            )
        except sqlite3.IntegrityError:
            raise ConfigError(
                f'create key "{name}": there is one of this name, maybe revoked; choose another name'
            ) from None
        return secret, key

    def revoke(self, name: str, at: float) -> ApiKey:
        """End a key for good; one that was revoked stays as it was.

        Raises:
            ConfigError: there is no key of this name.
        """
        self._connection.execute("UPDATE api_keys SET revoked_at = ? WHERE name = ? AND revoked_at IS NULL", (at, name))
        for key in self.read():
            if key.name == name:
                return key
        raise ConfigError(f'revoke key "{name}": there is none of this name: cuckoo coordinator keys list')

    def read(self) -> list[ApiKey]:
        """Read all keys, revoked ones too, in order of creation."""
        rows = self._connection.execute(
            "SELECT key_id, name, secret_hash, created_at, revoked_at, requests_per_minute, open_tasks, "
            "spend_per_day_wei FROM api_keys ORDER BY created_at, key_id"
        )
        return [
            ApiKey(
                key_id=key_id,
                name=name,
                secret_hash=digest,
                created_at=created_at,
                revoked_at=revoked_at,
                limits=Limits(
                    requests_per_minute=requests,
                    open_tasks=open_tasks,
                    spend_per_day_wei=None if spend is None else int(spend),
                ),
            )
            for key_id, name, digest, created_at, revoked_at, requests, open_tasks, spend in rows
        ]

    def version(self) -> int:
        """Return a number that changes when somebody else has changed the keys."""
        number: int = self._connection.execute("PRAGMA data_version").fetchone()[0]
        return number


@contextmanager
def open_keys(directory: Path) -> Iterator[KeyBook]:
    """Open the keys in a coordinator's data folder, made if it does not exist.

    Raises:
        ConfigError: the file can not be opened.
    """
    path = directory / KEYS_NAME
    try:
        directory.mkdir(mode=0o700, parents=True, exist_ok=True)
        connection = sqlite3.connect(path, timeout=_BUSY_S, isolation_level=None, check_same_thread=False)
    except (OSError, sqlite3.Error) as error:
        raise ConfigError(f"open the API keys in {path}: {error}") from None
    try:
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("PRAGMA synchronous = FULL")
        connection.execute(_SCHEMA)
        yield KeyBook(connection)
    except sqlite3.Error as error:
        raise ConfigError(f"use the API keys in {path}: {error}") from error
    finally:
        connection.close()
