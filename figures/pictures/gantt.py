"""The W4–W6 timeline: single-GPU training above, a three-GPU pipeline with one round trip below."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from matplotlib.figure import Figure

from figures.drawing.look import Look
from figures.pieces import Piece
from figures.traces import timeline
from figures.traces.wanted import Run, Wanted
from sim.experiment.configuration import resolve
from sim.experiment.run import run
from sim.rows import Rows

MINIBATCH, MINIBATCHES = 4, 12
SHOWN_S = 16.0  # eight time units: one forward or one backward takes 1 s
PIPELINE = "3-GPU pipeline"
PANELS = {"single GPU": 1, PIPELINE: 3}  # stages
WANTED = Wanted(minibatches=(MINIBATCH,), from_s=0.0, to_s=SHOWN_S)


def configuration() -> dict[str, Any]:
    """What to write into the picture: a configuration for each panel."""
    return {"panels": {panel: document(stages) for panel, stages in PANELS.items()},
            "minibatch": MINIBATCH, "to_s": SHOWN_S}


def document(stages: int) -> dict[str, Any]:
    """The configuration of a pipeline of so many GPUs."""
    return {"pipeline": {"stages": stages, "minibatches": MINIBATCHES}}


def pieces(seeds: Iterable[int] = ()) -> list[Piece]:
    """A run without training for each panel; nothing here is random."""
    return [Piece({"run": panel}, rows_of, (panel, stages)) for panel, stages in PANELS.items()]


def rows_of(panel: str, stages: int) -> Rows:
    """A row per box of one panel, as `figures timeline` makes them of any run."""
    return timeline.made([Run(panel, run(resolve(document(stages)), training=False))], WANTED)


def message(rows: Rows) -> str:
    """The headline: the versions mini-batch 4 comes across on its way."""
    units = {op: ", ".join(f"W{row['version_time_unit']}" for row in trip(rows) if row["op"] == op)
             for op in "FB"}
    return (f"In a pipeline of three GPUs mini-batch {MINIBATCH} meets {units['F']} forward and "
            f"{units['B']} backward; on one GPU it uses W{MINIBATCH} throughout")


def trip(rows: Rows) -> Rows:
    """The passes of the marked mini-batch through the pipeline, in the order of time."""
    return sorted((row for row in rows if row["marked"] and row["run"] == PIPELINE
                   and row["op"] in ("F", "B")), key=lambda row: float(row["start_s"]))


def draw(rows: Rows) -> Figure:
    """Both on one axis of time; mini-batch 4 in full colour with its versions and arrows."""
    return timeline.draw(rows, Look(title=message(rows)), WANTED,
                         "W by time unit, as SpecTrain counts: one forward and one backward of a "
                         "GPU; single-GPU training makes W(i+1) of mini-batch i")
