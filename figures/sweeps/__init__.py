"""Pictures of what a sweep found: its table, points put together, lines."""
