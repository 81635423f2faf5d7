import sqlite3

import pytest

from cuckoo.domain.errors import FatalError
from cuckoo.storage import schema


@pytest.fixture
def connection():
    opened = sqlite3.connect(":memory:", isolation_level=None)
    yield opened
    opened.close()


def version(connection):
    return connection.execute("PRAGMA user_version").fetchone()[0]


def test_migrations__shipped__numbered_from_one():
    numbers = [number for number, _ in schema.migrations()]
    assert numbers == list(range(1, len(numbers) + 1))


def test_migrate__twice__second_changes_nothing(connection):
    newest = schema.migrate(connection)
    before = connection.execute("SELECT * FROM sqlite_schema").fetchall()
    assert schema.migrate(connection) == newest == version(connection)
    assert connection.execute("SELECT * FROM sqlite_schema").fetchall() == before


def test_migrate__one_fails_half_way__database_stays_at_the_one_before(connection, monkeypatch):
    good = (1, "CREATE TABLE a (x);")
    monkeypatch.setattr(
        schema, "migrations", lambda: [good, (2, "CREATE TABLE b (x);\nINSERT INTO missing VALUES (1);")]
    )
    with pytest.raises(sqlite3.OperationalError, match="missing"):
        schema.migrate(connection)
    assert version(connection) == 1
    assert connection.execute("SELECT name FROM sqlite_schema").fetchall() == [("a",)]
    monkeypatch.setattr(schema, "migrations", lambda: [good, (2, "CREATE TABLE b (x);")])
    assert schema.migrate(connection) == 2


def test_statements__trigger_and_comment__kept_whole():
    script = (
        "-- one; two\nCREATE TABLE a (x);\nCREATE TRIGGER t BEFORE DELETE ON a BEGIN\n SELECT 1;\n SELECT 2;\nEND;\n"
    )
    assert len(list(schema.statements(script))) == 2


def test_statements__cut_off__refused():
    with pytest.raises(FatalError, match="ends within a statement"):
        list(schema.statements("CREATE TABLE a (x"))
