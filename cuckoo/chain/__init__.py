"""The one chain client: RPC, transactions, contracts, events, deployment, devnet."""
