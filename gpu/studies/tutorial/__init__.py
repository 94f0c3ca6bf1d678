"""PyTorch's pipeline tutorial timed, and NWPT's look-ahead beside it."""
