"""The one stake-weighted scheduler: pure, events in, decisions out."""
