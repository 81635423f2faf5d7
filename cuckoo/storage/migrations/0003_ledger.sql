-- What of the chain a row books: transaction and number of the log. A row is booked once for each.
ALTER TABLE ledger ADD COLUMN reference TEXT;

-- The digest of the model that earned it; '' where that is not known.
ALTER TABLE ledger ADD COLUMN model TEXT NOT NULL DEFAULT '';
ALTER TABLE receipts ADD COLUMN model TEXT NOT NULL DEFAULT '';

CREATE UNIQUE INDEX ledger_once_on_chain ON ledger (account, kind, reference) WHERE reference IS NOT NULL;

-- Up to which block the ledger holds what happened on chain. The hash of block 0 tells which chain that is.
CREATE TABLE ledger_cursor (
    one     INTEGER PRIMARY KEY CHECK (one = 1),
    genesis TEXT NOT NULL,
    block   INTEGER NOT NULL
) STRICT;
