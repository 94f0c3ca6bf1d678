"""What the simulator is compared with, written without it."""
