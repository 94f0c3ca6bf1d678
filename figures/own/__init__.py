"""Pictures of one's own runs: which there are, what they are drawn from, and their files."""
