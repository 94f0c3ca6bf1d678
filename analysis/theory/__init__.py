"""What must be so without a run: steady states and stability."""
