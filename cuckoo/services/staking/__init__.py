"""What a staker does: deposit, register, vote, leave, claim, and keep an eye on it."""
