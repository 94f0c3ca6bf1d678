"""A program from a file, in any form of `sim.order.text`, and an experiment in its shape.

The file's shape is put into the experiment before it is checked, so that what has one number per
stage is counted by the stages of the file.
"""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from copy import deepcopy
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from sim.errors import ConfigurationError, InvalidProgramError
from sim.experiment.checks import FILE
from sim.experiment.documents import put
from sim.experiment.options import Experiment, resolve
from sim.files.reading import as_written
from sim.layouts.text import LayoutError, stages_of
from sim.order.columns import Instructions
from sim.order.program import Program
from sim.order.replicated import replicated
from sim.order.shape import OPTIONS, PipelineShape
from sim.order.text.reading import read
from sim.order.torch_csv.reading import proved, repeated
from sim.wording import plural, readable

Document = dict[str, Any]


@dataclass(frozen=True)
class Taken:
    """A program that was read: `said` is a line on what the file was taken for."""

    program: Program
    said: str


def taken(path: Path) -> Taken:
    """The program in a file, proved to be one that can be executed.

    Raises InvalidProgramError naming the file, or InputError.
    """
    text = as_written(path)  # with its byte order mark, of which a word is said
    try:
        found = read(text)
        program = proved(Program.from_streams(found.shape, found.streams))
    except InvalidProgramError as error:
        raise InvalidProgramError(f"{path}: {error.rule}", error.table) from None
    notes = f" ({', '.join(found.notes)})" if found.notes else ""
    return Taken(program, f"{readable(path.name)} is {found.form}{notes}: {_sizes(program)}")


def _sizes(program: Program) -> str:
    """How large a program is, in words."""
    shape = program.shape
    said = [f"{plural(shape.stages, 'stage')} on {plural(program.devices, 'device')}, "
            f"{_batches('mini', shape.minibatches)} of {_batches('micro', shape.microbatches)}"]
    if shape.last_microbatches is not None:
        said.append(f"the last of {shape.last_microbatches}")
    if len(program.pairs):
        said.append(plural(len(program.pairs), "pair"))
    if program.lowered:
        said.append("messages")
    return ", ".join(said)


def _batches(kind: str, count: int) -> str:
    return f"{count} {kind}-batch{'es' * (count != 1)}"


def with_program(asked: Mapping[str, Any] | Experiment, found: Taken | Program
                 ) -> tuple[Experiment, Program]:
    """The experiment of a document, or one that there is, in the shape of a program of a file, and
    that program as it is to be run.

    A program of one mini-batch is repeated as often as `pipeline.minibatches` says where that is
    given, with a flush in between, and every one of `workers.count` workers runs the program.  Of
    several mini-batches each worker does all.  Raises ConfigurationError or InvalidProgramError.
    """
    program = found.program if isinstance(found, Taken) else found
    document = asked.document() if isinstance(asked, Experiment) else deepcopy(dict(asked))
    shape = program.shape
    workers = _number(document, "workers", "count") or 1
    minibatches = shape.minibatches * workers
    if shape.minibatches == 1:
        minibatches = _number(document, "pipeline", "minibatches") or workers
    experiment = resolve(in_shape(document, replace(shape, minibatches=minibatches)))
    own = minibatches // workers
    if own != shape.minibatches:
        program = repeated(program, own)
    return experiment, replicated(program, experiment.shape) if workers > 1 else program


def _number(document: Document, section: str, key: str) -> int | None:
    """A whole number of a document that is not checked yet; None for anything else."""
    table = document.get(section)
    value = table.get(key) if isinstance(table, dict) else None
    return value if isinstance(value, int) and not isinstance(value, bool) and value > 0 else None


def in_shape(document: Document, shape: PipelineShape) -> Document:
    """The document with the sizes of a program in place of its own.

    Raises ConfigurationError where a section is no table.
    """
    for name in ("stages", "minibatches", "microbatches", "chunks"):
        put(document, f"pipeline.{name}", getattr(shape, name))
    put(document, "pipeline.schedule", FILE)
    _check_layout(document["pipeline"].get("layout"), shape)
    options = given_options(shape)
    for name in OPTIONS:
        document["pipeline"].pop(name, None)
    document["pipeline"].update(options)
    return document


def _check_layout(layout: Any, shape: PipelineShape) -> None:
    """A layout of layers has as many stages as the program.  Raises ConfigurationError."""
    with suppress(LayoutError):  # one that is none is told with the rest of the experiment
        if isinstance(layout, str) and (stages := len(stages_of(layout))) != shape.stages:
            raise ConfigurationError([f"pipeline.layout: has {plural(stages, 'stage')}, the "
                                      f"program given {shape.stages}"])


def reshaped(experiment: Experiment, program: Program) -> Experiment:
    """The experiment in the shape of a program that is run just as it is.

    Raises ConfigurationError where something else in it does not go with that shape.
    """
    return resolve(in_shape(experiment.document(), program.shape))


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
    pairs = program.pairs[program.pairs[..., 2].max(axis=1, initial=0)
                          < minibatches * shape.microbatches]
    return Program.of(replace(shape, minibatches=minibatches, last_microbatches=None), rows,
                      tuple(ends.tolist()), pairs=pairs)
