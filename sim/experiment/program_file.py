"""A program from a file: our text form or PyTorch's pipelining CSV, whichever it is."""

from __future__ import annotations

from pathlib import Path

from sim.errors import InvalidProgramError
from sim.experiment.checks import FILE
from sim.experiment.options import Experiment
from sim.order.program import Program
from sim.order.torch_csv.reading import is_torch_csv, parse, repeated


def with_program(experiment: Experiment, path: Path) -> tuple[Experiment, Program]:
    """The program in a file, and the experiment reshaped to it.

    A PyTorch file covers one mini-batch; where `pipeline.minibatches` is given it is repeated
    that often, with a flush in between.  Raises InvalidProgramError or ConfigurationError.
    """
    text = _read(path)
    try:
        program = parse(text) if is_torch_csv(text) else Program.parse(text).validate()
    except InvalidProgramError as error:
        raise InvalidProgramError(f"{path}: {error.rule}", error.table) from None
    minibatches = program.shape.minibatches
    if is_torch_csv(text) and "minibatches" in experiment.pipeline.model_fields_set:
        minibatches = experiment.pipeline.minibatches
    reshaped = experiment.changed({"pipeline": {
        "schedule": FILE, "stages": program.shape.stages, "minibatches": minibatches,
        "microbatches": program.shape.microbatches, "chunks": program.shape.chunks}})
    if minibatches == program.shape.minibatches:
        return reshaped, program
    return reshaped, repeated(program, minibatches)


def _read(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8")
    except UnicodeDecodeError:
        raise InvalidProgramError(f"{path}: not a UTF-8 text file") from None
