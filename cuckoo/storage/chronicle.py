"""What the chain has told, in a file that every process of a user shares: a cache that can be read anew at any time.

Events of final blocks stay. Those of later blocks are replaced as a whole each time, so that a reorganisation corrects
itself. Another run of a development chain, or another version of this file, starts it anew. Beside it lies what each
coordinator claimed last, apart from what the chain says.
"""

import asyncio
import json
import sqlite3
import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TypeVar

import msgspec

from cuckoo.domain.accrual import RoleAccrual
from cuckoo.domain.errors import FatalError
from cuckoo.domain.identifiers import Address, NodeId, Role

T = TypeVar("T")
VERSION = 1
_BUSY_TIMEOUT_S = 30.0
_SCHEMA = """
DROP TABLE IF EXISTS progress;
DROP TABLE IF EXISTS happened;
DROP TABLE IF EXISTS accruals;
DROP TABLE IF EXISTS claims;
CREATE TABLE progress (
    one INTEGER PRIMARY KEY CHECK (one = 1),
    genesis TEXT NOT NULL, final INTEGER NOT NULL, final_hash BLOB NOT NULL,
    block INTEGER NOT NULL, at INTEGER NOT NULL, hash BLOB NOT NULL
) STRICT;
CREATE TABLE happened (
    block INTEGER NOT NULL, log_index INTEGER NOT NULL, at INTEGER NOT NULL, node INTEGER NOT NULL,
    name TEXT NOT NULL, staker TEXT NOT NULL, hash BLOB NOT NULL, arguments TEXT NOT NULL,
    PRIMARY KEY (block, log_index)
) STRICT;
CREATE INDEX happened_to_node ON happened (node, name, block, log_index);
CREATE INDEX happened_by_staker ON happened (staker, block) WHERE staker != '';
CREATE INDEX happened_at ON happened (name, at);
CREATE TABLE accruals (
    role INTEGER NOT NULL, block INTEGER NOT NULL, at INTEGER NOT NULL, row TEXT NOT NULL,
    PRIMARY KEY (role, block)
) WITHOUT ROWID, STRICT;
CREATE INDEX accruals_at ON accruals (role, at, block);
CREATE TABLE claims (coordinator INTEGER PRIMARY KEY, at INTEGER NOT NULL, body BLOB NOT NULL) STRICT;
"""
_COLUMNS = "block, log_index, at, node, name, staker, hash, arguments"


def chronicle_path(data_dir: Path, network: str) -> Path:
    """Return where all processes of a user keep what the chain of a network has told."""
    return data_dir / network / "chronicle.sqlite"


class Happened(msgspec.Struct, frozen=True, kw_only=True):
    """One event.

    Attributes:
        at: unix seconds of its block.
        node: whom it is about; 0: nobody.
        staker: whose position it is about; "": nobody's.
        hash: of its transaction.
        arguments: as the ABI names them.
    """

    block: int
    log_index: int
    at: int
    node: NodeId
    name: str
    staker: str
    hash: bytes
    arguments: dict[str, Any]


class Progress(msgspec.Struct, frozen=True, kw_only=True):
    """How far it is: up to ``final`` nothing changes any more; ``block``, ``at``, ``hash``: of the last one read."""

    genesis: str
    final: int
    final_hash: bytes
    block: int
    at: int
    hash: bytes


class Chronicle:
    """The events, and what the reserve of each role has paid. Thread-safe; runs on threads."""

    def __init__(self, path: Path | None) -> None:
        """Name the file; None keeps everything in memory."""
        self._path = path
        self._thread = threading.Lock()
        self._connection: sqlite3.Connection | None = None

    def close(self) -> None:
        """Close the file."""
        with self._thread:
            if self._connection is not None:
                self._connection.close()
                self._connection = None

    async def read(self, question: Callable[["Pages"], T]) -> T:
        """Answer a question on a thread, from one state of the file; raises FatalError where the disk refuses."""

        def ask() -> T:
            with self._transaction("BEGIN") as connection:
                return question(Pages(connection))

        return await asyncio.to_thread(ask)

    async def write(self, before: Progress | None, progress: Progress, told: Sequence[Happened]) -> bool:
        """Replace everything after the final blocks of ``before``; all that was there if it is None.

        Args:
            before: how far it was when this was read.
            progress: how far it is with it.
            told: events in the order of the chain, all of blocks after ``before.final``.

        Returns:
            Whether it was: not if another process has gone further meanwhile.
        """
        return await asyncio.to_thread(self._write, before, progress, told)

    async def keep_claims(self, coordinator: NodeId, at: int, body: bytes) -> None:
        """Keep what a coordinator said last, at a moment in unix seconds."""

        def keep() -> None:
            with self._transaction("BEGIN IMMEDIATE") as connection:
                connection.execute("INSERT OR REPLACE INTO claims VALUES (?, ?, ?)", (coordinator, at, body))

        await asyncio.to_thread(keep)

    def _write(self, before: Progress | None, progress: Progress, told: Sequence[Happened]) -> bool:
        with self._transaction("BEGIN IMMEDIATE") as connection:
            pages = Pages(connection)
            now = pages.progress()
            if before is not None and (now is None or now.final_hash != before.final_hash):
                return False
            first = -1 if before is None else before.final
            if before is None:
                connection.execute("DELETE FROM claims")
            for table in ("happened", "accruals"):
                connection.execute(f"DELETE FROM {table} WHERE block > ?", (first,))  # noqa: S608 - two names of ours
            _follow_weights(connection, pages, told)
            connection.executemany(
                f"INSERT INTO happened ({_COLUMNS}) VALUES (?, ?, ?, ?, ?, ?, ?, ?)",  # noqa: S608 - names of ours
                [
                    (one.block, one.log_index, one.at, one.node, one.name, one.staker, one.hash, _json(one.arguments))
                    for one in told
                ],
            )
            connection.execute(
                "INSERT OR REPLACE INTO progress VALUES (1, ?, ?, ?, ?, ?, ?)",
                msgspec.structs.astuple(progress),
            )
            return True

    @contextmanager
    def _transaction(self, begin: str) -> Iterator[sqlite3.Connection]:
        try:
            with self._thread:
                connection = self._connection = self._connection or self._open()
                connection.execute(begin)
                try:
                    yield connection
                except BaseException:
                    connection.execute("ROLLBACK")
                    raise
                connection.execute("COMMIT")
        except sqlite3.Error as error:
            raise FatalError(f"keep what the chain told in {self._path or 'memory'}: {error}") from error

    def _open(self) -> sqlite3.Connection:
        if self._path is not None:
            self._path.parent.mkdir(parents=True, exist_ok=True)
        connection = sqlite3.connect(
            self._path or ":memory:", timeout=_BUSY_TIMEOUT_S, isolation_level=None, check_same_thread=False
        )
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("PRAGMA synchronous = NORMAL")
        connection.execute("BEGIN IMMEDIATE")
        if connection.execute("PRAGMA user_version").fetchone()[0] != VERSION:
            for statement in _SCHEMA.split(";"):
                connection.execute(statement)
            connection.execute(f"PRAGMA user_version = {VERSION}")
        connection.execute("COMMIT")
        return connection


class Pages:
    """Reads, within one transaction."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        """Read through a connection."""
        self._connection = connection

    def progress(self) -> Progress | None:
        """Return how far it is; None while it is empty."""
        row = self._connection.execute("SELECT genesis, final, final_hash, block, at, hash FROM progress").fetchone()
        return None if row is None else Progress(**dict(zip(Progress.__struct_fields__, row, strict=True)))

    def of_node(self, node: NodeId) -> list[Happened]:
        """Return everything about a node, in the order of the chain."""
        return self._rows("node = ? ORDER BY block, log_index", node)

    def of_staker(self, staker: Address) -> list[Happened]:
        """Return everything about positions of a staker, in the order of the chain."""
        return self._rows("staker = ? ORDER BY block, log_index", staker)

    def owned(self, owner: Address) -> list[NodeId]:
        """Return the nodes that somebody owns, or did."""
        rows = self._connection.execute(
            "SELECT DISTINCT node FROM happened WHERE name IN ('Registered', 'OwnerTransferred') "
            "AND json_extract(arguments, '$.owner') = ? ORDER BY node",
            (owner,),
        )
        return [NodeId(node) for (node,) in rows]

    def named(self, *names: str, since: int = 0) -> list[Happened]:
        """Return events of some kinds from a moment on, in the order of the chain."""
        places = ", ".join("?" * len(names))
        return self._rows(f"name IN ({places}) AND at >= ? ORDER BY block, log_index", *names, since)

    def claims(self) -> list[tuple[NodeId, int, bytes]]:
        """Return what each coordinator said last: its node, when, and what."""
        rows = self._connection.execute("SELECT coordinator, at, body FROM claims ORDER BY coordinator")
        return [(NodeId(coordinator), at, body) for coordinator, at, body in rows]

    def weight(self, node: NodeId) -> int:
        """Return what a node weighed last, in wei."""
        row = self._connection.execute(
            "SELECT arguments FROM happened WHERE node = ? AND name = 'Weighed' "
            "ORDER BY block DESC, log_index DESC LIMIT 1",
            (node,),
        ).fetchone()
        return 0 if row is None else int(json.loads(row[0])["weight"])

    def role(self, node: NodeId) -> Role | None:
        """Return what a node was registered as; None where it is not known."""
        row = self._connection.execute(
            "SELECT json_extract(arguments, '$.role') FROM happened WHERE node = ? AND name = 'Registered'", (node,)
        ).fetchone()
        return None if row is None else Role(row[0])

    def accrual(self, role: Role, at: int | None = None) -> RoleAccrual:
        """Return what a role's reserve had paid at a moment; None: at the last change."""
        row = self._connection.execute(
            "SELECT row FROM accruals WHERE role = ? AND at <= ? ORDER BY at DESC, block DESC LIMIT 1",
            (role, 2**62 if at is None else at),
        ).fetchone()
        found = RoleAccrual() if row is None else RoleAccrual(**json.loads(row[0]))
        return found if at is None else found.settled(at)

    def _rows(self, where: str, *values: object) -> list[Happened]:
        rows = self._connection.execute(f"SELECT {_COLUMNS} FROM happened WHERE {where}", values)  # noqa: S608 - ours
        return [
            Happened(
                block=block,
                log_index=log_index,
                at=at,
                node=NodeId(node),
                name=name,
                staker=staker,
                hash=transaction,
                arguments=json.loads(arguments),
            )
            for block, log_index, at, node, name, staker, transaction, arguments in rows
        ]


def _follow_weights(connection: sqlite3.Connection, pages: Pages, told: Sequence[Happened]) -> None:
    """Store what the reserve of each role had paid after each block that changed how it is shared out."""
    accruals = {role: pages.accrual(role) for role in Role}
    roles: dict[NodeId, Role | None] = {}
    weights: dict[NodeId, int] = {}
    changed: dict[tuple[Role, int], RoleAccrual] = {}
    for one in told:
        arguments = one.arguments
        if one.name == "Registered":
            roles[one.node], weights[one.node] = Role(arguments["role"]), 0
        elif one.name == "Weighed":
            if one.node not in roles:
                roles[one.node], weights[one.node] = pages.role(one.node), pages.weight(one.node)
            role, weight = roles[one.node], int(arguments["weight"])
            if role is not None and weight != weights[one.node]:
                accruals[role] = accruals[role].with_weight(one.at, weight - weights[one.node])
                weights[one.node], changed[role, one.block] = weight, accruals[role]
        elif one.name in ("ReserveFunded", "EmissionRateChanged"):
            for role in Role:
                accruals[role] = (
                    accruals[role].funded(one.at, role, arguments["amount"])
                    if one.name == "ReserveFunded"
                    else accruals[role].streaming(one.at, role, arguments["weiPerSecond"])
                )
                changed[role, one.block] = accruals[role]
    connection.executemany(
        "INSERT OR REPLACE INTO accruals VALUES (?, ?, ?, ?)",
        [(role, block, one.at, _json(msgspec.structs.asdict(one))) for (role, block), one in changed.items()],
    )


def _json(values: dict[str, Any]) -> str:
    return json.dumps({name: "0x" + one.hex() if isinstance(one, bytes) else one for name, one in values.items()})
