"""A validation's grid: rows of order and mitigation, at every network, batch and image size."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

from gpu.profiling.solo import refuse_several
from gpu.runtime.settings import RunSettings
from gpu.studies.validation.cases import Case
from gpu.studies.validation.wide import combinations, in_turn, rows
from sim.errors import ConfigurationError
from sim.experiment.compared.contender import Contender
from sim.experiment.options import Experiment
from sim.experiment.setup import Setup
from sim.order.program import Program


@dataclass(frozen=True)
class Row:
    """What a row of a grid runs: how its experiment differs, and the user's order if it is one."""

    name: str
    changes: dict[str, Any]
    program: Program | None = None


@dataclass(frozen=True)
class Grid:
    """Cases in the order to run them, and why others are left out."""

    cases: list[Case]
    refused: list[str]


@dataclass(frozen=True)
class Sizes:
    """At which networks, batch sizes and image sizes (pixels of a side) every row is validated."""

    networks: Sequence[str]
    batches: Sequence[int]
    images: Sequence[int | None]

    def cases(self, experiment: Experiment, settings: RunSettings, rows: Sequence[Row]) -> Grid:
        """The cases of every row at every size, in turn.

        Raises ConfigurationError where none is left.
        """
        found: list[Case] = []
        refused: list[str] = []
        together = combinations(self.networks, self.batches, self.images)
        for number, size in in_turn(len(rows), len(together)):
            row, (network, batch, image) = rows[number], together[size]
            try:
                changed = experiment.changed(row.changes, {"training.batch_size": batch})
                admits(changed, row.program)
            except ConfigurationError as error:
                refused += [f"{row.name}: {line}" for line in error.problems]
                continue
            found.append(Case(changed, replace(settings, model=network, image_size=image),
                              row.program, (size, number)))
        if not found:
            raise ConfigurationError(refused)
        return Grid(found, list(dict.fromkeys(refused)))


def admits(experiment: Experiment, program: Program | None) -> None:
    """Make sure that the experiment's mitigation can be used on a program of the user's own, and
    that stages have one home each.

    Raises ConfigurationError with the reason.
    """
    setup = Setup.of(experiment, program)
    refuse_several(setup.program)
    if program is not None:
        setup.checked_versions(setup.program)


def asked_rows(experiment: Experiment, contenders: Sequence[Contender], program: Program | None
               ) -> list[Row]:
    """The rows of what was asked for; of a program of the user's own, each mitigation once."""
    found: dict[str, Row] = {}
    for one in contenders:
        alone = one if program is None else Contender(one.mitigation)
        changes = alone.changes(experiment, experiment.training.seed)
        found.setdefault(str(changes), Row(one.mitigation["name"], changes, program))
    return list(found.values())


def every_row(experiment: Experiment, devices: int) -> list[Row]:
    """The rows of the wide grid on so many devices."""
    return [Row(changes["mitigation"], {"pipeline": changes})
            for changes in rows(experiment, devices)]

def sizes(option: str, text: str | None) -> list[int] | None:
    """The whole numbers of an option's text, `16,32`; None where it is not given.

    Raises ConfigurationError.
    """
    if text is None:
        return None
    parts = [part.strip() for part in text.split(",")]
    if not all(part.isdecimal() and int(part) for part in parts):
        raise ConfigurationError([f"{option}: whole numbers by commas, e.g. 16,32; got {text!r}"])
    return [int(part) for part in parts]
