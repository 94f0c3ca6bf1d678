"""Weights: which version every pass reads, and how many versions a stage holds."""
