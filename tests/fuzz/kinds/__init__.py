"""The kinds of input, one a file: each makes a case from a source of random numbers."""
