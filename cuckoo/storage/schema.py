"""Numbered SQL migrations, shipped inside the package."""

import re
import sqlite3
from collections.abc import Iterator
from importlib import resources

from cuckoo.domain.errors import ConfigError, FatalError

_NAME = re.compile(r"(\d{4})_[a-z0-9_]+\.sql")


def migrations() -> list[tuple[int, str]]:
    """Read the migrations that this version ships.

    Returns:
        (number, SQL), numbers rising from 1 without a gap.

    Raises:
        FatalError: a number is missing: the installation is broken.
    """
    folder = resources.files("cuckoo.storage") / "migrations"
    found = sorted(
        (int(match[1]), entry.read_text("utf-8"))
        for entry in folder.iterdir()
        if (match := _NAME.fullmatch(entry.name))
    )
    if [number for number, _ in found] != list(range(1, len(found) + 1)) or not found:
        raise FatalError(f"read the database migrations: numbers {[number for number, _ in found]} are not 1, 2, 3 ...")
    return found


def statements(script: str) -> Iterator[str]:
    """Split a script into complete statements (triggers included)."""
    statement = ""
    for line in script.splitlines(keepends=True):
        statement += line
        if sqlite3.complete_statement(statement):
            yield statement
            statement = ""
    if re.sub(r"--[^\n]*", "", statement).strip():
        raise FatalError(f"read a database migration: it ends within a statement: {statement.strip()[:80]}")


def migrate(connection: sqlite3.Connection) -> int:
    """Bring a database to the newest version, each migration in a transaction of its own.

    Args:
        connection: in autocommit mode (``isolation_level=None``).

    Returns:
        The version that the database then has.

    Raises:
        ConfigError: the database was written by a newer program.
    """
    version: int = connection.execute("PRAGMA user_version").fetchone()[0]
    known = migrations()
    if version > known[-1][0]:
        raise ConfigError(
            f"open database: it has version {version}, this program knows versions up to {known[-1][0]}; "
            "install the newer Cuckoo that wrote it, or name another directory in CUCKOO_DATA_DIR"
        )
    for number, script in known[version:]:
        connection.execute("BEGIN IMMEDIATE")
        try:
            for statement in statements(script):
                connection.execute(statement)
            connection.execute(f"PRAGMA user_version = {number}")
        except BaseException:
            connection.execute("ROLLBACK")
            raise
        connection.execute("COMMIT")
    return known[-1][0]
