"""Captured stages: forward and backward recorded once as CUDA graphs, and replayed."""
