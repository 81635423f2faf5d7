"""A role's ledger and the chain: what happened there is booked, checked, and summed up for people."""
