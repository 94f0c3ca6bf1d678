"""What pictures of one's own runs are drawn from, and which part of it is wanted."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from matplotlib.figure import Figure

from figures.drawing.look import Look
from sim.experiment.options import Experiment
from sim.order.program import Program
from sim.rows import Rows
from sim.trace import Trace


@dataclass(frozen=True)
class Run:
    """A run under a name: a trace from a file, simulated, trained or measured, or one that was
    simulated for the picture.

    `experiment` is what can be run again (of a file's trace as its header has it; None where it
    cannot be), and `program` its order where that is no schedule's.
    """

    name: str
    trace: Trace
    experiment: Experiment | None = None
    program: Program | None = None


@dataclass(frozen=True)
class Wanted:
    """Which part of a run is drawn, and how it is coloured, as the figure options say.

    `minibatches` (from 1) are marked; `from_s` and `to_s` bound the window in seconds (None: the
    run's end); `stages` are those shown (None: all); `colour` is pass, staleness, distance or
    minibatch.
    """

    minibatches: tuple[int, ...] = ()
    from_s: float | None = None
    to_s: float | None = None
    stages: tuple[int, ...] | None = None
    colour: str = "pass"


@dataclass(frozen=True)
class OwnPicture:
    """A picture of one's own runs: data first, drawing second.

    `rows` are what is drawn, written beside the picture as CSV, and all that `draw` needs beside
    the look and what is wanted; `message` is its headline, read off the rows.  `takes` names the
    fields of `Wanted` that mean something here, the door refuses others; `trained` says whether an
    experiment has to be trained for it, `evaluated` whether it is to be evaluated on the way,
    `runs` how many runs it can show at most.

    `rows` raises ConfigurationError where what is wanted is not there.
    """

    name: str
    rows: Callable[[Sequence[Run], Wanted], Rows]
    draw: Callable[[Rows, Look, Wanted], Figure]
    message: Callable[[Rows], str]
    takes: frozenset[str] = frozenset()
    trained: bool = False
    evaluated: bool = False
    runs: int = 8
