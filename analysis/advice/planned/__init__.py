"""Which pipelines to consider where a network's layers are still to be cut."""
