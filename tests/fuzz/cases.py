"""Cases by kind and number: the same case whenever it is asked for."""

from __future__ import annotations

from collections.abc import Callable
from random import Random

from tests.fuzz.case import Case
from tests.fuzz.kinds import (
    backend,
    experiments,
    journals,
    measured,
    options,
    pictures,
    profiles,
    programs,
    sweeps,
    traces,
)
from tests.fuzz.regressions import found

KINDS: dict[str, Callable[[Random], Case]] = {
    "experiment": experiments.experiment, "setting": experiments.setting,
    "chrome": measured.chrome, "layout": measured.layout, "option": options.option,
    "out": options.out, "profile": profiles.profile,
    "program": programs.program, "trace-bytes": traces.damaged_file,
    "trace-content": traces.damaged_content, "trace-header": traces.damaged_header,
    "sweep": sweeps.sweep, "journal": journals.journal, "picture": pictures.picture,
    "backend": backend.backend}
# How many of each: cheap ones more often.  A picture that is drawn takes a second, and the backend
# as much as it takes to load torch.
QUICK = {"experiment": 60, "setting": 50, "option": 40, "out": 8, "profile": 40, "program": 50,
         "chrome": 30, "layout": 20, "trace-bytes": 30, "trace-content": 40, "trace-header": 40,
         "sweep": 30, "journal": 20, "picture": 3}
FULL = {"experiment": 19_000, "setting": 15_000, "option": 5_000, "out": 500, "profile": 6_000,
        "program": 16_000, "trace-bytes": 13_150, "trace-content": 9_000, "trace-header": 7_700,
        "chrome": 1_000, "layout": 1_000, "sweep": 2_500, "journal": 3_000, "picture": 150,
        "backend": 1_000}


FOUND = found()


def case(kind: str, number: int | str) -> Case:
    """The case of a kind by its number; of the kind `found`, by its name."""
    if kind == "found":
        return FOUND[str(number)]
    return KINDS[kind](Random(f"{kind} {number}"))
