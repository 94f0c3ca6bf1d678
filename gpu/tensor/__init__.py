"""Tensor parallelism: a pair of matrices that several ranks share, and what its exchanges take."""
