"""The commands of `python -m sim`, one a file; `sim.__main__` puts them together.

A command may ask another package (`analysis`), which it imports when it runs.  The other doors
take from here what all doors share: `door` (options, mistakes) and `bars` (progress).
"""
