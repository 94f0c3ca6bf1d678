"""The inner product of flat vectors, of one run or of replicas side by side."""

from __future__ import annotations

from typing import Any


def inner(one: Any, other: Any) -> Any:
    """Over the last axis: (…, n) with (…, n) or (n,) to (…), NumPy or torch.

    Every replica's is summed as that of a run alone, so both have the same bits.
    """
    if one.ndim == 1:
        return one.dot(other)  # NumPy's and torch's, and half the price of `@`
    return (one[..., None, :] @ other[..., None])[..., 0, 0]
