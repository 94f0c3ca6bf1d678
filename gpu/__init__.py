"""The torch backend: the simulator's programs on real stages, with its trace and its versions.

    >>> import gpu
    >>> trace = gpu.run(devices="cpu,cpu", mitigation="stash", minibatches=8)

Rooms: `runtime` assembles stages and executes them on threads, `distributed` on processes,
`profiling` measures them, `studies` puts questions to a machine.  Only this package imports
torch, and no name here does before it is used.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

import sim

if TYPE_CHECKING:
    from gpu.commands.library import run, validate

__all__ = ["run", "validate"]

_HOME = os.path.dirname(os.path.dirname(os.path.realpath(__file__)))
if getattr(sim, "HOME", None) != _HOME:
    raise ImportError(f"{__file__} needs the sim of pipestale beside it, which another hides: "
                      f"{sim.__file__}; take that off the path")

from sim.neighbours import found_when_used  # noqa: E402 - of the right sim, as is known now

__getattr__, __dir__ = found_when_used(__name__, dict.fromkeys(__all__, "gpu.commands.library"))
