"""Metrics, differences and exports of traces; theory and advice.  Reads files; needs no torch.

    >>> import analysis, sim
    >>> analysis.report(sim.run(schedule="gpipe", microbatches=4))["versions_held"]
    [1, 1, 1]

Names are imported when they are first used.
"""

from __future__ import annotations

import os
from typing import TYPE_CHECKING, Any

import sim

if TYPE_CHECKING:
    from analysis.library import advise, report, steady

__all__ = ["advise", "report", "steady"]

_HOME = os.path.dirname(os.path.dirname(os.path.realpath(__file__)))
if getattr(sim, "HOME", None) != _HOME:
    raise ImportError(f"{__file__} needs the sim of pipestale beside it, which another hides: "
                      f"{sim.__file__}; take that off the path")


def __getattr__(name: str) -> Any:
    if name not in __all__:
        raise AttributeError(f"module 'analysis' has no attribute {name!r}")
    from analysis import library

    found = globals()[name] = getattr(library, name)
    return found


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
