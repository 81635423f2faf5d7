"""Click commands: the only code that reads flags, environment and configuration files."""
