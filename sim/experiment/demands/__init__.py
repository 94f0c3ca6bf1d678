"""What a run will take, estimated before it begins, and what this machine has."""
