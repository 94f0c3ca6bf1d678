"""The commands of `python -m gpu`, one a file; `gpu.__main__` puts them together.

What another room does for a command is `OtherRooms`, which the door hands in as click's `obj`.
"""
