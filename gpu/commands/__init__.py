"""The commands of `python -m gpu`, one a file; `gpu.__main__` puts them together.

What another package does for a command (`analysis`, `figures`) is imported when it runs.
"""
