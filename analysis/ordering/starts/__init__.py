"""Orders that a search starts from: the known ones that fit, and greedy ones under the limit."""
