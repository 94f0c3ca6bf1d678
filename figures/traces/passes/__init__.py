"""Passes as boxes over time, a lane per device: which are drawn, where, in which colour."""
