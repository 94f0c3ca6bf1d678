"""The commands of `python -m analysis`, one a file; `analysis.__main__` puts them together."""
