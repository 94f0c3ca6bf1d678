"""Programs people brought, with the numbers that are right for them: see README.md."""
