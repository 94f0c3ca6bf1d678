"""PyTorch's pipelining schedules as CSV: read, given their messages, written."""
