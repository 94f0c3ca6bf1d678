"""Whole-program passes, each in two makes side by side: NumPy, and loops that numba compiles.

Loops are written with indices and numbers only, and each goes from the first row to the last and
does one thing, so that it becomes few machine instructions, often for several rows at once.  That
an index is not negative is checked even where it cannot be: one that may count from the end of an
array costs a quarter of the time.  A pass that cannot judge a program refuses it by answering with
empty arrays, and its caller finds the reason.
"""
