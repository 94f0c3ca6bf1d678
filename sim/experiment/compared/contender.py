"""What a comparison runs, as it is asked for: `i-timeprest:decay=2@nf1b/7`."""

from __future__ import annotations

import re
from dataclasses import dataclass, fields
from typing import Any

from sim.errors import ConfigurationError, did_you_mean, unknown
from sim.experiment.documents import toml_value
from sim.experiment.options import Experiment
from sim.mitigations import MITIGATIONS
from sim.schedules import SCHEDULES

_ITEM = re.compile(r"(?P<name>[^:@/]+)(?P<parameters>(?::[^:@/=]+=[^:@/]+)*)"
                   r"(?:@(?P<schedule>[^/]+)(?:/(?P<microbatches>\d+))?)?")


@dataclass(frozen=True)
class Contender:
    """What one row of a comparison runs: a mitigation with its parameters, and a schedule where
    it is not the experiment's."""

    mitigation: dict[str, Any]
    schedule: str | None = None
    microbatches: int | None = None

    @classmethod
    def parse(cls, text: str) -> Contender:
        """The contender of a text such as `i-timeprest:decay=0.5@nf1b/7`.

        Parameters stand after colons, then come schedule and micro-batches.
        Raises ConfigurationError.
        """
        found = _ITEM.fullmatch(text.strip())
        if not found:
            raise ConfigurationError([f"{text!r}: write MITIGATION[:PARAMETER=VALUE…]"
                                      "[@SCHEDULE[/MICROBATCHES]], e.g. "
                                      "i-timeprest:decay=2@nf1b/7"])
        parameters = [p.split("=", 1) for p in found["parameters"].split(":")[1:]]
        table = {"name": found["name"], **{key: toml_value(value) for key, value in parameters}}
        count = found["microbatches"]
        return cls(table, found["schedule"], int(count) if count else None)

    def changes(self, experiment: Experiment, seed: int) -> dict[str, Any]:
        """What to change of the experiment to run this contender with a seed."""
        pipeline: dict[str, Any] = {"mitigation": self.mitigation}
        if self.schedule:
            pipeline["schedule"] = self.schedule
            pipeline["microbatches"] = self.microbatches or experiment.pipeline.microbatches
        return {"pipeline": pipeline, "training": {"seed": seed}}


def on_one_order(names: str) -> list[Contender]:
    """The contenders of a text that all run one program that is given, each mitigation once.

    Raises ConfigurationError where one names a schedule.
    """
    if "@" in names:
        raise ConfigurationError([f"--mitigations: every row runs the program given, so none names "
                                  f"a schedule, got {names}"])
    alone: dict[str, Contender] = {}
    for each in contenders(names):
        alone.setdefault(str(each.mitigation), Contender(each.mitigation))
    return list(alone.values())


def _strange_parameters(contender: Contender) -> list[str]:
    """A line for each parameter that the contender's mitigation, which is known, does not have."""
    name = contender.mitigation["name"]
    known = [field.name for field in fields(MITIGATIONS[name])]
    return [f"--mitigations: {name} has no parameter {key!r}{did_you_mean(key, known)}; it takes: "
            f"{', '.join(known) or 'none'}"
            for key in contender.mitigation if key not in ("name", *known)]


def contenders(text: str) -> list[Contender]:
    """The contenders of a text, with commas between them; `all` is every mitigation.

    Raises ConfigurationError.
    """
    names = MITIGATIONS.names() if text.strip() == "all" else text.split(",")
    chosen = [Contender.parse(name) for name in names if name.strip()]
    known = [(c.mitigation["name"], "mitigation", MITIGATIONS.names()) for c in chosen]
    known += [(c.schedule, "schedule", SCHEDULES.names()) for c in chosen if c.schedule]
    strange = [f"--mitigations: {unknown(kind, name, choices)}"
               for name, kind, choices in known if name not in choices]
    strange = strange or [line for each in chosen for line in _strange_parameters(each)]
    if strange or not chosen:
        raise ConfigurationError(strange or [f"--mitigations: name at least one of "
                                             f"{', '.join(MITIGATIONS.names())}, or all"])
    return chosen
