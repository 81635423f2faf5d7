-- How many pictures each miner has made, also of tasks that are no longer kept; counted from here on.
ALTER TABLE miner_counts ADD COLUMN pictures INTEGER NOT NULL DEFAULT 0;
