"""What goes over the wire and under a signature: messages, routes, hashing, signing."""
