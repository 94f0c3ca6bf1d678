"""What every stage holds over time, in bytes: weights, older versions, copies, activations."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from matplotlib.figure import Figure

from figures import methods
from figures.drawing.look import Look
from figures.drawing.style import headline
from figures.methods import NAMED, Method
from figures.pieces import Piece
from figures.traces import memory as own
from figures.traces.stages.held import COLUMNS, LIMIT, fullest, total
from figures.traces.wanted import Run, Wanted
from sim.experiment.run import run
from sim.rows import Rows

STAGES, UNTIL_S = 4, 42.0
METHODS = (Method("GPipe 7", "none@gpipe/7", "black"), Method("1F1B 7", "none@1f1b/7", "black"),
           NAMED["none"], NAMED["stash"], NAMED["vertical-sync"],
           Method("v-timeprest, nF1B 7", "v-timeprest@nf1b/7", "vermilion"), NAMED["spectrain"])


def configuration() -> dict[str, Any]:
    """What to write into the picture: the pipeline and the methods."""
    return methods.configuration(base(), METHODS)


def base() -> dict[str, Any]:
    """The configuration all methods start from: four stages, 30 mini-batches."""
    document = methods.document(STAGES, 0.05)
    document["pipeline"]["minibatches"] = 30
    return document


def pieces(seeds: Iterable[int] = ()) -> list[Piece]:
    """A run without training for each method; nothing here is random."""
    return [Piece({"method": m.label}, rows_of, (base(), m.contender)) for m in METHODS]


def rows_of(document: dict[str, Any], contender: str) -> Rows:
    """A row per stage and moment at which anything changes: bytes held from then on."""
    trace = run(methods.experiment(document, contender, 0), training=False)
    made = own.rows([Run(contender, trace)], Wanted(to_s=UNTIL_S))
    return [{"stage": int(row["place"].split()[-1]), "second": row["second"],
             **{column: row[column] for column in COLUMNS.values()}} for row in made]


def peak(rows: Rows, method: str, stage: int | None = None) -> float:
    """The most bytes of one stage, or of the stage that needs most, under one method."""
    return total(fullest([row for row in rows if row["method"] == method
                          and stage in (None, row["stage"])]))


def message(rows: Rows) -> str:
    """The headline: peaks of the fullest stage."""
    peaks = {name: peak(rows, name) / 1e3 for name in dict.fromkeys(r["method"] for r in rows)}
    return ("What a pipeline holds is decided by its order and its stash: peak of the fullest "
            "stage " + ", ".join(f"{value:.0f} kB ({name})" for name, value in peaks.items()))


def draw(rows: Rows) -> Figure:
    """Methods across, stages down; the kinds stacked over time."""
    stages = len({row["stage"] for row in rows})
    figure = own.panels([{"run": row["method"], "place": f"stage {row['stage']}",
                          "places": stages, LIMIT: None, **row} for row in rows], Look())
    headline(figure, message(rows), f"{stages} stages, digits, batch {methods.BATCH}, float64; "
             "a mini-batch takes a stage 1 s forward and 2 s backward, links are free; a number "
             "after a schedule is its micro-batches; first seconds of the run")
    return figure
