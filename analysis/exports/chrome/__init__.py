"""A trace as Chrome trace JSON: slices, arrows between them, counters, and the document of all."""
