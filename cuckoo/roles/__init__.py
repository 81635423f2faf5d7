"""One page per role: opens resources and names its services."""
