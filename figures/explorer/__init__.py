"""The timeline explorer: traces as one HTML file that works offline."""
