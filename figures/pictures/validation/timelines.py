"""Predicted over measured: a run of each schedule that this project measured on two cores."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import Any

from figures.pieces import Piece
from figures.rows import read_rows
from figures.traces.validated.pairs import MINIBATCHES, chosen, draw, message
from sim.rows import Rows

MEASURED = Path(__file__).parents[2] / "measured" / "cpu-2core" / "validate" / "rows.csv"
__all__ = ["MEASURED", "committed", "configuration", "draw", "message", "pieces"]


def configuration() -> dict[str, Any]:
    """What to write into the picture: which measurement it draws."""
    return {"rows": "/".join(MEASURED.parts[-5:]), "minibatches": MINIBATCHES,
            "made_by": "python -m gpu measure --devices cpu,cpu"}


def pieces(seeds: Iterable[int] = ()) -> list[Piece]:
    """The rows of a measurement in one piece; nothing is measured or simulated again."""
    return [Piece({}, committed)]


def committed() -> Rows:
    """What the two-core measurement of this project recorded, cut to what is drawn."""
    return chosen(read_rows(MEASURED))
