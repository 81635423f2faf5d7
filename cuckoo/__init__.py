"""Cuckoo: decentralised serving of AI models, with stake behind every result."""

__version__ = "0.1.0"
