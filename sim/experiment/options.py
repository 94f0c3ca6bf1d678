"""One experiment: what the user asked for, checked as a whole."""

from __future__ import annotations

from collections.abc import Mapping
from copy import deepcopy
from textwrap import shorten
from typing import Any

from pydantic import ValidationError

from sim.errors import ConfigurationError
from sim.experiment.checks import problems_of
from sim.experiment.documents import full_key, put
from sim.experiment.problems import listed
from sim.experiment.tables import Tables
from sim.layouts.text import LayoutError, stages_of


class Experiment(Tables):
    """One experiment as it was asked for, defaults filled in; `resolve` makes checked ones."""

    def document(self) -> dict[str, Any]:
        """What was set, as a plain document of its own; defaults are left out."""
        return self.model_dump(mode="python", exclude_unset=True)

    def changed(self, *changes: Mapping[str, Any], **keys: Any) -> Experiment:
        """A new experiment, checked anew, that differs in what is given and keeps what was set.

        A change names sections with the keys to set in each (`{"pipeline": {"stages": 4}}`),
        dotted keys (`{"training.seed": 1}`), or bare ones where one section alone has them
        (`stages=4`); later ones win.  A table inside a section is replaced as a whole, unless
        a dotted key reaches into it.  Raises ConfigurationError.
        """
        document = self.document()
        for key, value in deepcopy([pair for each in (*changes, keys) for pair in each.items()]):
            if key in Tables.model_fields and isinstance(value, dict):
                document[key] = document.get(key, {}) | value
            else:
                put(document, full_key(key), value)
        return resolve(document)

    def __repr__(self) -> str:
        shown = ", ".join(f"{section}={table}" for section, table in self.document().items())
        return f"Experiment({shorten(shown, 240, placeholder=' …')})"

    __str__ = __repr__


def resolve(document: dict[str, Any]) -> Experiment:
    """The experiment of a plain document, checked as a whole.

    Raises ConfigurationError with every problem.
    """
    try:
        experiment = Experiment.model_validate(document)
    except ValidationError as errors:
        raise ConfigurationError(listed(errors, Experiment)) from None
    experiment = laid_out(experiment)
    problems = problems_of(experiment)
    if problems:
        raise ConfigurationError(problems)
    return experiment


def laid_out(experiment: Experiment) -> Experiment:
    """The experiment with as many stages as its layout has, which count as not set.

    Raises ConfigurationError for a layout that is none, or has another number than was set.
    """
    pipeline = experiment.pipeline
    if pipeline.layout is None:
        return experiment
    try:
        stages = len(stages_of(pipeline.layout))
    except LayoutError as error:
        raise ConfigurationError([f"pipeline.layout: {error}"]) from None
    if "stages" in pipeline.model_fields_set:
        if pipeline.stages == stages:
            return experiment
        raise ConfigurationError([f"pipeline.stages: pipeline.layout has {stages}, got "
                                  f"{pipeline.stages}; leave stages out"])
    counted = pipeline.model_copy(update={"stages": stages})
    counted.model_fields_set.discard("stages")  # so that another layout may have another number
    return experiment.model_copy(update={"pipeline": counted})
