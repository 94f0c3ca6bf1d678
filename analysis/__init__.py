"""Metrics, differences and exports of traces.  Reads files; needs no torch."""
