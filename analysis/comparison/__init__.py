"""Runs beside each other: mitigations, systems, two traces."""
