"""What the numbers were taken on, and the table that shows them."""

from __future__ import annotations

import os
import platform
import statistics
from pathlib import Path
from typing import Any

import numpy as np
import simpy
from rich.table import Table

from tests.bench.measure import Ratio, Took


def machine() -> dict[str, Any]:
    """What the numbers were taken on."""
    import sklearn

    cpu = platform.processor()
    if os.path.exists("/proc/cpuinfo"):
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
        cpu = next((x.split(":", 1)[1].strip() for x in lines if x.startswith("model name")), cpu)
    return {"cpu": cpu, "cores": os.cpu_count(), "system": platform.platform(),
            "python": platform.python_version(), "numpy": np.__version__,
            "simpy": simpy.__version__, "scikit-learn": sklearn.__version__, "blas_threads": 1,
            "clock": "CPU seconds of the process", "load_average": os.getloadavg()[0]}


def table(ratios: list[Ratio | Took]) -> Table:
    """Ratios (or what was taken) first, then what they are made of."""
    shown = Table("benchmark", "ratio", "target", "", "ours", "theirs", "unit", "repeats")
    for each in ratios:
        sides = (each.ours, getattr(each, "theirs", None))
        medians = (statistics.median(values) if values else None for values in sides)
        shown.add_row(each.name, f"[bold]{each.value:.2f}[/]",
                      f"{'≥' if each.at_least else '≤'} {each.target:.2f}",
                      "[green]meets[/]" if each.meets else "[bold red]misses target[/]",
                      *("–" if m is None else f"{m:,.0f}" if each.unit.endswith("/s")
                        else f"{m:.4f}" for m in medians),
                      each.unit, str(len(each.ours)))
    return shown
