-- Times are unix seconds. Ids of tasks are their 16 bytes. Wei are decimal text. Hashes are 32 bytes.

CREATE TABLE tasks (
    position        INTEGER PRIMARY KEY AUTOINCREMENT,
    task_id         BLOB NOT NULL UNIQUE CHECK (length(task_id) = 16),
    owner_key       INTEGER,
    idempotency_key TEXT,
    body_hash       BLOB NOT NULL,
    parameters      BLOB NOT NULL,
    status          TEXT NOT NULL CHECK (status IN ('queued', 'running', 'done', 'failed', 'cancelled')),
    created_at      REAL NOT NULL,
    ended_at        REAL,
    reason          TEXT NOT NULL DEFAULT '',
    CHECK ((ended_at IS NULL) = (status IN ('queued', 'running')))
) STRICT;

CREATE UNIQUE INDEX tasks_idempotency ON tasks (coalesce(owner_key, -1), idempotency_key)
    WHERE idempotency_key IS NOT NULL;
CREATE INDEX tasks_open ON tasks (position) WHERE ended_at IS NULL;
CREATE INDEX tasks_ended ON tasks (ended_at) WHERE ended_at IS NOT NULL;
CREATE INDEX tasks_of_owner ON tasks (owner_key, position) WHERE owner_key IS NOT NULL;

CREATE TABLE attempts (
    task              INTEGER NOT NULL REFERENCES tasks (position) ON DELETE CASCADE,
    attempt           INTEGER NOT NULL CHECK (attempt >= 1),
    coordinator_node  INTEGER NOT NULL,
    miner_node        INTEGER NOT NULL,
    sequence          INTEGER NOT NULL,
    assignment        BLOB NOT NULL,
    assignment_hash   BLOB NOT NULL,
    signature         BLOB NOT NULL,
    deadline          INTEGER NOT NULL,
    assigned_at       REAL NOT NULL,
    seed_tip          BLOB NOT NULL,
    draw_index        INTEGER NOT NULL,
    draw_head         BLOB NOT NULL,
    draw_block        INTEGER NOT NULL,
    odds              REAL NOT NULL CHECK (odds BETWEEN 0 AND 1),
    candidates        INTEGER NOT NULL,
    state             TEXT NOT NULL CHECK (state IN ('running', 'lost', 'done', 'failed', 'fenced', 'cancelled')),
    receipt           BLOB,
    receipt_signature BLOB,
    reason            TEXT NOT NULL DEFAULT '',
    ended_at          REAL,
    PRIMARY KEY (task, attempt),
    CHECK ((state = 'done') = (receipt IS NOT NULL))
) STRICT;

CREATE UNIQUE INDEX attempts_one_done ON attempts (task) WHERE state = 'done';

CREATE TABLE pictures (
    task      INTEGER NOT NULL REFERENCES tasks (position) ON DELETE CASCADE,
    picture   INTEGER NOT NULL,
    blob_hash BLOB NOT NULL CHECK (length(blob_hash) = 32),
    PRIMARY KEY (task, picture)
) STRICT, WITHOUT ROWID;

CREATE TABLE miner_counts (
    miner_node INTEGER PRIMARY KEY,
    assigned   INTEGER NOT NULL DEFAULT 0,
    done       INTEGER NOT NULL DEFAULT 0,
    failed     INTEGER NOT NULL DEFAULT 0,
    lost       INTEGER NOT NULL DEFAULT 0,
    expected   REAL NOT NULL DEFAULT 0,
    variance   REAL NOT NULL DEFAULT 0
) STRICT;

-- The coordinator's side: highest sequence used, per miner.
CREATE TABLE sequence_marks (
    coordinator_node INTEGER NOT NULL,
    miner_node       INTEGER NOT NULL,
    sequence         INTEGER NOT NULL,
    PRIMARY KEY (coordinator_node, miner_node)
) STRICT, WITHOUT ROWID;

CREATE TABLE seed_tips (
    tip_id       INTEGER PRIMARY KEY AUTOINCREMENT,
    tip          BLOB NOT NULL UNIQUE CHECK (length(tip) = 32),
    secret       BLOB NOT NULL CHECK (length(secret) = 32),
    first_period INTEGER,
    block        INTEGER,
    created_at   REAL NOT NULL
) STRICT;

CREATE TABLE draw_periods (
    tip_id     INTEGER NOT NULL REFERENCES seed_tips (tip_id),
    period     INTEGER NOT NULL,
    seed       BLOB NOT NULL CHECK (length(seed) = 32),
    block      INTEGER NOT NULL,
    block_hash BLOB NOT NULL CHECK (length(block_hash) = 32),
    PRIMARY KEY (tip_id, period)
) STRICT, WITHOUT ROWID;

CREATE INDEX draw_periods_by_period ON draw_periods (period);

CREATE TABLE draw_chunks (
    tip_id     INTEGER NOT NULL REFERENCES seed_tips (tip_id),
    first_row  INTEGER NOT NULL,
    row_count  INTEGER NOT NULL CHECK (row_count >= 1),
    first_draw INTEGER NOT NULL,
    draw_count INTEGER NOT NULL CHECK (draw_count >= 0),
    period     INTEGER NOT NULL,
    rows       BLOB NOT NULL,
    head       BLOB NOT NULL CHECK (length(head) = 32),
    UNIQUE (tip_id, first_row)
) STRICT;

CREATE INDEX draw_chunks_by_period ON draw_chunks (period, tip_id, first_row);

CREATE TABLE ledger (
    entry_id       INTEGER PRIMARY KEY AUTOINCREMENT,
    at             REAL NOT NULL,
    account        TEXT NOT NULL,
    kind           TEXT NOT NULL,
    counterparty   INTEGER NOT NULL,
    amount_wei     TEXT NOT NULL,
    cumulative_wei TEXT NOT NULL,
    task_id        BLOB CHECK (length(task_id) = 16),
    attempt        INTEGER
) STRICT;

CREATE INDEX ledger_cumulative ON ledger (account, counterparty, entry_id);
CREATE UNIQUE INDEX ledger_once ON ledger (account, kind, task_id, coalesce(attempt, 0)) WHERE task_id IS NOT NULL;

CREATE TRIGGER ledger_never_changes BEFORE UPDATE ON ledger BEGIN
    SELECT raise(ABORT, 'the ledger is append-only');
END;

CREATE TRIGGER ledger_never_shrinks BEFORE DELETE ON ledger BEGIN
    SELECT raise(ABORT, 'the ledger is append-only');
END;

-- What each segment holds for certain: bytes beyond it were never acknowledged.
CREATE TABLE blob_segments (
    segment INTEGER PRIMARY KEY,
    length  INTEGER NOT NULL
) STRICT;

CREATE TABLE blobs (
    hash    BLOB NOT NULL CHECK (length(hash) = 32),
    segment INTEGER NOT NULL REFERENCES blob_segments (segment),
    offset  INTEGER NOT NULL,
    length  INTEGER NOT NULL,
    PRIMARY KEY (hash, segment)
) STRICT, WITHOUT ROWID;

CREATE INDEX blobs_by_segment ON blobs (segment);

CREATE TABLE blob_takedowns (
    hash BLOB PRIMARY KEY CHECK (length(hash) = 32),
    at   REAL NOT NULL
) STRICT, WITHOUT ROWID;

-- The miner's side: what it signed, and the highest sequence that it saw from each coordinator.
CREATE TABLE receipts (
    assignment_hash  BLOB PRIMARY KEY CHECK (length(assignment_hash) = 32),
    coordinator_node INTEGER NOT NULL,
    task_id          BLOB NOT NULL CHECK (length(task_id) = 16),
    attempt          INTEGER NOT NULL,
    sequence         INTEGER NOT NULL,
    receipt          BLOB NOT NULL,
    signature        BLOB NOT NULL,
    result_hash      BLOB,
    signed_at        REAL NOT NULL,
    state            TEXT NOT NULL CHECK (state IN ('signed', 'accepted', 'refused')),
    reply            BLOB,
    CHECK ((state = 'signed') = (reply IS NULL))
) STRICT;

CREATE INDEX receipts_unsettled ON receipts (signed_at) WHERE state = 'signed';

CREATE TABLE seen_sequences (
    coordinator_node INTEGER PRIMARY KEY,
    sequence         INTEGER NOT NULL
) STRICT;
