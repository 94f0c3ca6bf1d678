"""A program from a file: our text form or PyTorch's pipelining CSV, whichever it is."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np

from sim.errors import InvalidProgramError
from sim.experiment.checks import FILE
from sim.experiment.options import Experiment
from sim.files.reading import text_of
from sim.order.columns import Instructions
from sim.order.program import Program
from sim.order.shape import OPTIONS, PipelineShape
from sim.order.torch_csv.reading import is_torch_csv, parse, repeated


def with_program(experiment: Experiment, path: Path) -> tuple[Experiment, Program]:
    """The program in a file, and the experiment reshaped to it.

    A PyTorch file covers one mini-batch; where `pipeline.minibatches` is given it is repeated
    that often, with a flush in between.  Raises InvalidProgramError, InputError or
    ConfigurationError.
    """
    text = text_of(path)
    try:
        program = parse(text) if is_torch_csv(text) else Program.parse(text).validate()
    except InvalidProgramError as error:
        raise InvalidProgramError(f"{path}: {error.rule}", error.table) from None
    minibatches = program.shape.minibatches
    if is_torch_csv(text) and "minibatches" in experiment.pipeline.model_fields_set:
        minibatches = experiment.pipeline.minibatches
    if minibatches != program.shape.minibatches:
        program = repeated(program, minibatches)
    return reshaped(experiment, program), program


def reshaped(experiment: Experiment, program: Program) -> Experiment:
    """The experiment in the shape of a program that is run in place of a schedule's.

    Raises ConfigurationError where something else in it does not go with that shape.
    """
    shape = program.shape
    return experiment.changed({"pipeline": {
        "schedule": FILE, "stages": shape.stages, "minibatches": shape.minibatches,
        "microbatches": shape.microbatches, "chunks": shape.chunks,
        **given_options(shape)}})


def given_options(shape: PipelineShape) -> dict[str, Any]:
    """The options of a shape that are set, as keys of the table `pipeline`."""
    return {name: value for name, value in shape.as_dict().items() if name in OPTIONS}


def first_minibatches(program: Program, minibatches: int) -> Program:
    """A program's order up to its mini-batch `minibatches`: of each device what it does for them.

    The program itself where it has no more.  What is left out is only what comes after, so every
    pass kept still finds what it waits for.
    """
    shape = program.shape
    if minibatches >= shape.minibatches:
        return program
    keep = program.rows.index < minibatches * shape.microbatches
    ends = np.concatenate([[0], np.cumsum(keep)])[list(program.offsets)]
    rows = Instructions(*(column[keep] for column in program.rows))
    return Program.of(replace(shape, minibatches=minibatches), rows, tuple(ends.tolist()))
