"""Numbers with their spread, and files of them."""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from pathlib import Path
from statistics import median
from typing import Any

from sim.interval import mean_of
from sim.trace import atomic_file


def spread(values: Sequence[float | None]) -> dict[str, Any]:
    """Mean, sample standard deviation, 95 % interval of the mean (None for one value), median,
    extremes and the values; None where none is known.

    What is missing or not finite is left out and counted as `missing`.
    """
    known = [float(v) for v in values if v is not None and math.isfinite(v)]
    missing = len(values) - len(known)
    if not known:
        return {"mean": None, "sd": None, "ci95": None, "median": None, "min": None, "max": None,
                "values": [], "missing": missing}
    return {**mean_of(known)._asdict(), "median": median(known),
            "min": min(known), "max": max(known), "values": known, "missing": missing}


def told(found: dict[str, Any], digits: int = 3, scale: float = 1.0) -> str:
    """`mean ± sd [95 % interval]` for a table, a single value alone; `–` where none is known."""
    if found["mean"] is None:
        return "–"
    number = f"{scale * found['mean']:.{digits}f}"
    if len(found["values"]) > 1:
        number += f" ± {scale * found['sd']:.{digits}f}"
    if found["ci95"]:
        number += f" [{', '.join(f'{scale * bound:.{digits}f}' for bound in found['ci95'])}]"
    return number if not found["missing"] else f"{number} ({found['missing']} missing)"


def place(found: dict[str, Any]) -> str:
    """A sentence of what `gpu.profiling.machine.Machine.facts` found."""
    parts = [*found["gpus"], plural(found["cpu_cores"], "CPU core"), f"torch {found['torch']}",
             f"load average over the last minute {found['load_average'][0]}"]
    return (f"Devices {', '.join(found['devices'])} with "
            f"{plural(found['threads_per_device'], 'thread')} each; {', '.join(parts)}.")


def write_json(path: Path, values: dict[str, Any]) -> None:
    """Atomically; numbers that are not finite become null."""
    with atomic_file(path) as file:
        file.write((json.dumps(_plain(values), indent=2, allow_nan=False) + "\n").encode())


def write_text(path: Path, text: str) -> None:
    with atomic_file(path) as file:
        file.write(text.encode())


def _plain(value: Any) -> Any:
    if isinstance(value, dict):
        return {str(key): _plain(inner) for key, inner in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(inner) for inner in value]
    if isinstance(value, float) and not math.isfinite(value):
        return None
    return value


def plural(count: int, name: str) -> str:
    """`1 seed`, `3 seeds`."""
    return f"{count} {name}{'s' * (count != 1)}"


def table(header: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    """A Markdown table."""
    lines = [header, ["---"] * len(header), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines) + "\n"
