"""Runs that a profiler measured: ranges of Chrome traces read as a trace of ours, and a profile."""
