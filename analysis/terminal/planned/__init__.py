"""What planners answer, for the terminal."""
