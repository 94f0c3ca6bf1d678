"""One style for every figure: colour-blind safe, legible in print, data and origin beside it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import matplotlib as mpl
from matplotlib.figure import Figure

from analysis.export import rows_as_csv as as_csv
from sim.trace import atomic_file

# Okabe & Ito 2008: distinguishable under every common colour blindness
COLOURS = {"black": "#000000", "orange": "#E69F00", "sky": "#56B4E9", "green": "#009E73",
           "yellow": "#F0E442", "blue": "#0072B2", "vermilion": "#D55E00", "purple": "#CC79A7",
           "grey": "#8C8C8C", "pale": "#DDDDDD"}

__all__ = ["COLOURS", "FORMATS", "as_csv", "new_figure", "save"]

FORMATS = ("png", "svg")
Row = Mapping[str, Any]

mpl.rcParams.update({
    "font.family": "DejaVu Sans", "font.size": 9, "axes.titlesize": 10, "axes.labelsize": 9,
    "xtick.labelsize": 8, "ytick.labelsize": 8, "legend.fontsize": 8,
    "axes.spines.top": False, "axes.spines.right": False, "axes.axisbelow": True,
    "figure.dpi": 100, "savefig.dpi": 160, "svg.hashsalt": "pipestale", "svg.fonttype": "none",
})


def new_figure(width_in: float, height_in: float) -> Figure:
    """An empty figure, laid out so that nothing overlaps."""
    return Figure(figsize=(width_in, height_in), layout="constrained")


def save(figure: Figure, rows: Sequence[Row], out: Path, name: str, command: str) -> list[Path]:
    """Write the picture in every format, its data as CSV, and the command into its metadata."""
    written = [out / f"{name}.{kind}" for kind in (*FORMATS, "csv")]
    for path, kind in zip(written, FORMATS, strict=False):
        about = ({"Title": name, "Description": command} if kind == "png"
                 else {"Title": name, "Description": command, "Date": None})
        with atomic_file(path) as file:
            figure.savefig(file, format=kind, metadata=about)
    with atomic_file(written[-1]) as file:
        file.write(as_csv(rows).encode())
    return written
