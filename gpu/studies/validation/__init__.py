"""The simulator against the machine: exact where order decides, statistical where time does."""
