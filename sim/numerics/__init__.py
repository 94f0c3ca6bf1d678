"""Numerics: what the stages of a pipeline compute, and how they learn through a program."""
