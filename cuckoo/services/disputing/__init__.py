"""Judged disputes: a coordinator accuses, jurors make the task again and vote, the contract decides."""
