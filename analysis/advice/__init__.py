"""Which pipelines to consider for a measured profile and a memory limit."""
