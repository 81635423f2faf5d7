"""From an app's task to a stored result: the coordinator's main loop around the pure scheduler."""
