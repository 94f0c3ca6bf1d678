"""A system as a comparison is asked for it: `hetpipe:distance=3`."""

from __future__ import annotations

import re
from dataclasses import dataclass, fields
from typing import Any

from sim.errors import ConfigurationError, did_you_mean, unknown
from sim.experiment.documents import toml_value
from sim.experiment.options import Experiment
from sim.experiment.systems import SYSTEMS, System
from sim.mitigations import MITIGATIONS
from sim.workers import COMBINES

_ITEM = re.compile(r"(?P<name>[^:]+)(?P<parameters>(?::[^:=]+=[^:]+)*)")


@dataclass(frozen=True)
class Entrant:
    """A system that enters a comparison, with parameters given to it, to its mitigation or to its
    rule by which workers combine."""

    system: System
    parameters: tuple[tuple[str, Any], ...] = ()

    @property
    def name(self) -> str:
        """The text that asks for it: `i-timeprest:decay=2`."""
        return ":".join([self.system.name, *(f"{k}={v}" for k, v in self.parameters)])

    def changes(self, experiment: Experiment) -> dict[str, Any]:
        """What to change of the experiment to run it as this system.

        Raises ConfigurationError.
        """
        own = {key: value for key, value in self.parameters if key in self.system.takes}
        changes = self.system.changes(experiment, **own)
        for key, value in self.parameters:
            if key in own:
                continue
            section, name, table = self._home(changes, experiment, key)
            changes[section] = changes.get(section, {}) | {name: table | {key: value}}
        return changes

    def _home(self, changes: dict[str, Any], experiment: Experiment, key: str
              ) -> tuple[str, str, dict[str, Any]]:
        """Section and key of the table that has this parameter, and what is in it so far."""
        takes = [*self.system.takes]
        for section, name, registry in (("pipeline", "mitigation", MITIGATIONS),
                                        ("workers", "combine", COMBINES)):
            said = experiment.document().get(section, {}) | changes.get(section, {})
            if name not in said:
                continue
            entry = said[name]
            table = {"name": entry} if isinstance(entry, str) else dict(entry)
            known = [f.name for f in fields(registry[table["name"]])]
            if key in known:
                return section, name, table
            takes += known
        raise ConfigurationError([f"--systems: {self.system.name} has no parameter {key!r}"
                                  f"{did_you_mean(key, takes)}; it takes: "
                                  f"{', '.join(takes) or 'none'}"])


def entrants(text: str) -> list[Entrant]:
    """The systems of a text `SYSTEM[:PARAMETER=VALUE…],…`; `all` is every system.

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
