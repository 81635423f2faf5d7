"""A whole network in one process on a simulated clock, driven by one seed, through the production services and store."""
