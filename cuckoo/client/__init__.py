"""HTTP clients: a miner to its coordinator, an app to its coordinator."""
