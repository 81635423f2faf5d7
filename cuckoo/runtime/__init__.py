"""How a process lives: services, signals, retries, the clock, logs, metrics."""
