"""Sweeps: many experiments from one file, on several processes or a cluster, resumable."""
