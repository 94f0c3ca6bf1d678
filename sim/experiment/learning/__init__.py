"""What an experiment trains: the stages, and the copies of those that have several."""
