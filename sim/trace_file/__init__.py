"""The file of a trace: its columns, how they are read, and what has to be true of them."""
