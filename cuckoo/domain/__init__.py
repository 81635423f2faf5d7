"""Words and rules that everything shares: no I/O, no clock, no randomness of its own."""
