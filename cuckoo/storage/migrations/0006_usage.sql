-- What came of the tasks of an API key, by day (UTC, days since 1970). Wei are decimal text.
CREATE TABLE key_usage (
    owner_key INTEGER NOT NULL,
    day       INTEGER NOT NULL,
    tasks     INTEGER NOT NULL,
    pictures  INTEGER NOT NULL,
    spent_wei TEXT NOT NULL,
    PRIMARY KEY (owner_key, day)
) STRICT, WITHOUT ROWID;

CREATE INDEX key_usage_by_day ON key_usage (day);
