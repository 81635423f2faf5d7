-- The staker's side: rewards on their way from a claim back behind their node. Each step is found again on chain.
CREATE TABLE compounds (
    compound_id INTEGER PRIMARY KEY AUTOINCREMENT,
    node        INTEGER NOT NULL,
    tranche     INTEGER NOT NULL CHECK (tranche IN (0, 1)),
    since_block INTEGER NOT NULL,
    amount_wei  TEXT,
    state       TEXT NOT NULL CHECK (state IN ('claiming', 'claimed', 'deposited', 'voted', 'kept')),
    at          REAL NOT NULL,
    CHECK ((state = 'claiming') <= (amount_wei IS NULL))
) STRICT;

CREATE INDEX compounds_open ON compounds (compound_id) WHERE state IN ('claiming', 'claimed', 'deposited');
