"""What the stages of an experiment cost on a machine: seconds, bytes, links."""
