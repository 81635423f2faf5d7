"""Audits: some results are made again by others, who can not know that, before they are paid."""
