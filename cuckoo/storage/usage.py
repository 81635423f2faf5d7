"""What came of each API key's tasks, by day."""

import sqlite3

import msgspec

from cuckoo.storage.writer import Command

DAY_S = 86_400


class Usage(msgspec.Struct, frozen=True, kw_only=True):
    """What an API key got: tasks that were done, their pictures, and what they and cancelled ones cost, in wei."""

    tasks: int = 0
    pictures: int = 0
    spent_wei: int = 0


NOTHING = Usage()


def day_of(at: float) -> int:
    """Return the day (UTC) of unix seconds, counted from 1970."""
    return int(at // DAY_S)


def add_usage(owner_key: int, usage: Usage, at: float) -> Command[None]:
    """Book what a task came to, as part of the commit that ends it.

    Args:
        owner_key: the API key that owns it.
        usage: of this task.
        at: unix seconds.
    """

    def run(connection: sqlite3.Connection) -> None:
        key = (owner_key, day_of(at))
        row = connection.execute(
            "SELECT tasks, pictures, spent_wei FROM key_usage WHERE owner_key = ? AND day = ?", key
        ).fetchone()
        tasks, pictures, spent = row or (0, 0, "0")
        connection.execute(
            "INSERT OR REPLACE INTO key_usage VALUES (?, ?, ?, ?, ?)",
            (*key, tasks + usage.tasks, pictures + usage.pictures, str(int(spent) + usage.spent_wei)),
        )

    return run


def read_usage(*, since_day: int = 0) -> Command[dict[int, Usage]]:
    """Sum up the usage of every key from a day on."""

    def run(connection: sqlite3.Connection) -> dict[int, Usage]:
        found: dict[int, Usage] = {}
        rows = connection.execute(
            "SELECT owner_key, tasks, pictures, spent_wei FROM key_usage WHERE day >= ?", (since_day,)
        )
        for owner_key, tasks, pictures, spent in rows:
            before = found.get(owner_key, NOTHING)
            found[owner_key] = Usage(
                tasks=before.tasks + tasks,
                pictures=before.pictures + pictures,
                spent_wei=before.spent_wei + int(spent),
            )
        return found

    return run
