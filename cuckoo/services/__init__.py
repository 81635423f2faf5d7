"""Loops and use cases, independent of one another; roles wire them."""
