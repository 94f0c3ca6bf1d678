"""Tensor parallelism of an experiment: its table `tensor` applied to what its machine takes."""
