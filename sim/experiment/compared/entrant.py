"""A system as a comparison is asked for it: `hetpipe:distance=3`."""

from __future__ import annotations

import re
from dataclasses import dataclass, fields
from typing import Any

from sim.errors import ConfigurationError, unknown
from sim.experiment.configuration import toml_value
from sim.experiment.options import Experiment
from sim.experiment.systems import SYSTEMS, System
from sim.mitigations import MITIGATIONS
from sim.workers import COMBINES

_ITEM = re.compile(r"(?P<name>[^:]+)(?P<parameters>(?::[^:=]+=[^:]+)*)")


@dataclass(frozen=True)
class Entrant:
    """A system, and parameters given to its mitigation or to how its workers combine."""

    system: System
    parameters: tuple[tuple[str, Any], ...] = ()

    @property
    def name(self) -> str:
        """As it was asked for: `i-timeprest:decay=2`."""
        return ":".join([self.system.name, *(f"{k}={v}" for k, v in self.parameters)])

    def document(self, experiment: Experiment) -> dict[str, Any]:
        """The experiment as this system.  Raises ConfigurationError."""
        document = self.system.document(experiment)
        for key, value in self.parameters:
            section, name = self._home(document, key)
            entry = document[section][name]
            table = {"name": entry} if isinstance(entry, str) else dict(entry)
            document[section][name] = table | {key: value}
        return document

    def _home(self, document: dict[str, Any], key: str) -> tuple[str, str]:
        """Section and key of the table that has this parameter."""
        takes = []
        for section, name, registry in (("pipeline", "mitigation", MITIGATIONS),
                                        ("workers", "combine", COMBINES)):
            entry = document.get(section, {}).get(name)
            if entry is None:
                continue
            kind = registry[entry if isinstance(entry, str) else entry["name"]]
            known = [f.name for f in fields(kind)]
            if key in known:
                return section, name
            takes += known
        raise ConfigurationError([f"--systems: {self.system.name} has no parameter {key!r}; it "
                                  f"takes: {', '.join(takes) or 'none'}"])


def entrants(text: str) -> list[Entrant]:
    """A comma-separated list of `SYSTEM[:PARAMETER=VALUE…]`; `all` is every system.

    Raises ConfigurationError.
    """
    if text.strip() == "all":
        return [Entrant(each) for each in SYSTEMS]
    chosen, problems = [], []
    for item in filter(None, map(str.strip, text.split(","))):
        found = _ITEM.fullmatch(item)
        if not found:
            problems.append(f"--systems: {item!r}: write SYSTEM[:PARAMETER=VALUE…], e.g. "
                            "i-timeprest:decay=2")
        elif found["name"] not in SYSTEMS.names():
            choices = [*SYSTEMS.names(), "all"]
            problems.append(f"--systems: {unknown('system', found['name'], choices)}")
        else:
            pairs = [p.split("=", 1) for p in found["parameters"].split(":")[1:]]
            chosen.append(Entrant(SYSTEMS[found["name"]],
                                  tuple((key, toml_value(value)) for key, value in pairs)))
    if problems or not chosen:
        raise ConfigurationError(problems or ["--systems: name at least one of "
                                              f"{', '.join(SYSTEMS.names())}, or all"])
    return chosen
