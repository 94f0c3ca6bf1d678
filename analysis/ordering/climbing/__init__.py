"""Orders made better move by move: what the search spends its time in, Python or compiled."""
