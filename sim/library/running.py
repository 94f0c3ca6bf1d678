"""One experiment from Python: run it, read its trace back, run a program of one's own."""

from __future__ import annotations

from os import PathLike
from pathlib import Path
from typing import Any

from sim.experiment.run import run as simulate
from sim.library.asking import Asked, Order, with_order
from sim.order.program import Program
from sim.order.torch_csv.reading import parse
from sim.trace import Trace


def run(experiment: Asked = None, /, *, program: Order = None, **keys: Any) -> Trace:
    """Simulate one experiment: `sim.run(stages=4, mitigation="spectrain")`.

    `experiment` is a TOML file, a mapping of its tables, an `Experiment`, or None for the default
    one; `keys` are set in it, flat or dotted (`**{"pipeline.stages": 4}`) as `--set` takes them.
    A `program`, or the file of one, is run in place of a schedule's, and gives the shape; one of a
    file with one mini-batch is repeated by `minibatches`.

    Raises ConfigurationError with every problem, InputError, InvalidProgramError or DeadlockError.
    """
    return simulate(*with_order(experiment, keys, program))


def load(path: str | PathLike[str]) -> Trace:
    """The trace in a file, `.npz`.  Raises TraceError with what is wrong with it."""
    return Trace.load(Path(path))


def parse_program(text: str) -> Program:
    """A program from its text, in any form that `--program` reads, checked to be executable.

    Raises InvalidProgramError, with the place.
    """
    return parse(text)
