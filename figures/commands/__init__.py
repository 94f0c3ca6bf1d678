"""The commands of `python -m figures`, one a file; `figures.__main__` puts them together."""
