"""Reports and timelines for a terminal."""
