"""The order of a trace as PyTorch's pipelining CSV, passes alone (`compute_only`)."""

from __future__ import annotations

from sim.order.torch_csv.rendering import render
from sim.trace import Trace


def write(trace: Trace) -> bytes:
    """A trace's order as PyTorch's CSV, a row per rank.

    Raises InvalidProgramError where PyTorch has no such step.
    """
    return render(trace.program()).encode()
