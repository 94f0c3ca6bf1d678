"""Where to cut a network into stages, and on how many devices to put each."""
