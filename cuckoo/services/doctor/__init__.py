"""What this machine can draw, measured; and what a miner offers because of it."""
