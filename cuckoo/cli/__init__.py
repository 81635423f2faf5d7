"""The command line: the only code that reads flags, environment and configuration files."""
