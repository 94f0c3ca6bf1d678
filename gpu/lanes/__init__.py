"""Devices as lanes: streams, clocks, and one GPU as two."""
