-- The coordinator's side: results that a jury is to judge, with the evidence, before anything of it is sent.
-- "pictures": a MessagePack list of blob hashes. "dispute": its number on chain, once it has one.
CREATE TABLE accusations (
    assignment_hash      BLOB PRIMARY KEY CHECK (length(assignment_hash) = 32),
    miner_node           INTEGER NOT NULL,
    assignment           BLOB NOT NULL,
    assignment_signature BLOB NOT NULL CHECK (length(assignment_signature) = 65),
    receipt              BLOB NOT NULL,
    receipt_signature    BLOB NOT NULL CHECK (length(receipt_signature) = 65),
    pictures             BLOB NOT NULL,
    state                TEXT NOT NULL CHECK (state IN ('recorded', 'open', 'convicted', 'ended', 'refused')),
    dispute              INTEGER,
    detail               TEXT NOT NULL DEFAULT '',
    at                   REAL NOT NULL
) STRICT, WITHOUT ROWID;

CREATE INDEX accusations_by_dispute ON accusations (dispute) WHERE dispute IS NOT NULL;
CREATE INDEX accusations_unfinished ON accusations (at) WHERE state IN ('recorded', 'open');

-- The miner's side: the signed assignment of a receipt, so that who is accused can show its task to a jury.
ALTER TABLE receipts ADD COLUMN assignment BLOB NOT NULL DEFAULT x'';

-- The juror's side: what it says and the salt, before it commits to them. The fault tells chains apart.
CREATE TABLE verdicts (
    fault_id BLOB NOT NULL CHECK (length(fault_id) = 32),
    dispute  INTEGER NOT NULL,
    round    INTEGER NOT NULL,
    miner    INTEGER NOT NULL,
    seats    INTEGER NOT NULL,
    verdict  INTEGER NOT NULL CHECK (verdict IN (1, 2, 3)),
    digest   BLOB NOT NULL CHECK (length(digest) = 32),
    salt     BLOB NOT NULL CHECK (length(salt) = 32),
    outcome  TEXT NOT NULL DEFAULT '',
    at       REAL NOT NULL,
    PRIMARY KEY (fault_id, dispute, round)
) STRICT, WITHOUT ROWID;
