-- What an attempt of the task pays the miner that finishes it, in wei.
ALTER TABLE tasks ADD COLUMN price_wei TEXT NOT NULL DEFAULT '0';

-- What the coordinator owes for a result that the miner delivers, in wei.
ALTER TABLE receipts ADD COLUMN price_wei TEXT NOT NULL DEFAULT '0';

-- The miner's side: the best voucher of each coordinator. Older ones are worth nothing beside it.
CREATE TABLE vouchers (
    coordinator_node INTEGER PRIMARY KEY,
    cumulative_wei   TEXT NOT NULL,
    signature        BLOB NOT NULL CHECK (length(signature) = 65),
    received_at      REAL NOT NULL
) STRICT;
