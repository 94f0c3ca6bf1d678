"""What a run was like: versions, times, memory, learning, and one report of it all."""
