"""Pictures, one a file: what makes the data, what draws it."""
