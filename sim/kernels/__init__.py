"""Whole-program passes, each in two makes side by side: NumPy, and loops that numba compiles.

Loops are written with indices and numbers only, and one goes from the first row to the last and
does one thing, so that it becomes few instructions, often for several rows at once; and where an
index cannot be negative that is asked all the same: one that may count from the end costs a quarter
of the time.  Where a pass refuses (it answers with empty arrays) its caller finds the reason.
"""
