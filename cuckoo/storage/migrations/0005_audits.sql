-- Nodes that may not be given this task: a MessagePack list. Others check their work with it.
ALTER TABLE tasks ADD COLUMN avoid BLOB NOT NULL DEFAULT x'90';

-- Results that are made again by somebody else before they are paid.
CREATE TABLE audits (
    audit_id   INTEGER PRIMARY KEY AUTOINCREMENT,
    task_id    BLOB NOT NULL CHECK (length(task_id) = 16),
    attempt    INTEGER NOT NULL,
    miner_node INTEGER NOT NULL,
    price_wei  TEXT NOT NULL,
    state      TEXT NOT NULL CHECK (state IN ('open', 'passed', 'failed', 'undecided')),
    detail     TEXT NOT NULL DEFAULT '',
    opened_at  REAL NOT NULL,
    closed_at  REAL,
    UNIQUE (task_id, attempt),
    CHECK ((state = 'open') = (closed_at IS NULL))
) STRICT;

CREATE INDEX audits_open ON audits (audit_id) WHERE state = 'open';

-- The tasks that were given out to make a result again, in order.
CREATE TABLE audit_opinions (
    audit_id INTEGER NOT NULL REFERENCES audits (audit_id),
    number   INTEGER NOT NULL,
    task_id  BLOB NOT NULL CHECK (length(task_id) = 16),
    PRIMARY KEY (audit_id, number)
) STRICT, WITHOUT ROWID;

-- Second receipts that miners signed over an assignment: each proves on chain that they signed two.
CREATE TABLE second_receipts (
    task_id    BLOB NOT NULL CHECK (length(task_id) = 16),
    attempt    INTEGER NOT NULL,
    miner_node INTEGER NOT NULL,
    receipt    BLOB NOT NULL,
    signature  BLOB NOT NULL CHECK (length(signature) = 65),
    state      TEXT NOT NULL CHECK (state IN ('open', 'proven', 'refused')),
    detail     TEXT NOT NULL DEFAULT '',
    at         REAL NOT NULL,
    PRIMARY KEY (task_id, attempt)
) STRICT, WITHOUT ROWID;
