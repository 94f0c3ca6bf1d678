"""Experiments: from a configuration to a trace."""
