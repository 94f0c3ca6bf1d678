"""Completeness: whether streams hold everything once, and what is wrong where they do not."""
