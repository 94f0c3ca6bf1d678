"""One experiment from Python: run it, read its trace back, run a program of one's own."""

from __future__ import annotations

from os import PathLike
from pathlib import Path
from typing import Any

from sim.experiment.checks import FILE
from sim.experiment.program_file import given_options
from sim.experiment.run import run as simulate
from sim.library.asking import Asked, experiment_of
from sim.order.program import Program
from sim.order.torch_csv.reading import is_torch_csv
from sim.order.torch_csv.reading import parse as parse_torch_csv
from sim.trace import Trace


def run(experiment: Asked = None, /, *, program: Program | None = None, **keys: Any) -> Trace:
    """Simulate one experiment: `sim.run(stages=4, mitigation="spectrain")`.

    `experiment` is a TOML file, a mapping of its tables, an `Experiment`, or None for the default
    one; `keys` are set in it, flat or dotted (`**{"pipeline.stages": 4}`) as `--set` takes them.
    A `program` is run in place of a schedule's, and gives the shape.

    Raises ConfigurationError with every problem, InvalidProgramError or DeadlockError.
    """
    if program is None:
        return simulate(experiment_of(experiment, keys))
    shape = program.shape
    own = {"schedule": FILE, "stages": shape.stages, "minibatches": shape.minibatches,
           "microbatches": shape.microbatches, "chunks": shape.chunks,
           **given_options(shape)}
    keys |= {f"pipeline.{key}": value for key, value in own.items()}
    return simulate(experiment_of(experiment, keys | {"workers.count": shape.workers}), program)


def load(path: str | PathLike[str]) -> Trace:
    """The trace in a file, `.npz`.  Raises TraceError with what is wrong with it."""
    return Trace.load(Path(path))


def parse_program(text: str) -> Program:
    """A program from its text, in our form or PyTorch's pipelining CSV, checked to be executable.

    Raises InvalidProgramError, with the place.
    """
    return parse_torch_csv(text) if is_torch_csv(text) else Program.parse(text).validate()
