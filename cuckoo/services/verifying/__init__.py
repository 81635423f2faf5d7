"""Verification: pictures against receipts, draw logs against the chain. Anybody can run it."""
