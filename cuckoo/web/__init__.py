"""aiohttp applications: the public API and the miner API."""
