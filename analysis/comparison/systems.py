"""Systems by name on one experiment: what each costs and what it buys, a row each."""

from __future__ import annotations

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass, fields
from typing import Any

from analysis.comparison.compare import averaged, merge
from analysis.metrics.convergence import convergence
from analysis.metrics.report import report
from analysis.theory.system_edge import stable_rate
from sim.errors import ConfigurationError, DeadlockError, InvalidProgramError
from sim.experiment.configuration import resolve, toml_value
from sim.experiment.options import Experiment
from sim.experiment.run import run
from sim.experiment.systems import SYSTEMS, System
from sim.mitigations import MITIGATIONS
from sim.rows import plain
from sim.workers import COMBINES

EVALUATIONS = 20  # of a run, where the experiment does not say
AVERAGED = ("minibatches_to_target", "epochs_to_target", "seconds_to_target",
            "accuracy_fluctuation")
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
            problems.append(f"--systems: system {found['name']!r} is unknown; choose from "
                            f"{', '.join(SYSTEMS.names())}, all")
        else:
            pairs = [p.split("=", 1) for p in found["parameters"].split(":")[1:]]
            chosen.append(Entrant(SYSTEMS[found["name"]],
                                  tuple((key, toml_value(value)) for key, value in pairs)))
    if problems or not chosen:
        raise ConfigurationError(problems or ["--systems: name at least one of "
                                              f"{', '.join(SYSTEMS.names())}, or all"])
    return chosen


def system_row(experiment: Experiment, entrant: Entrant, seeds: Sequence[int], target: float,
               done: Callable[[], None] = lambda: None) -> dict[str, Any]:
    """The report of one system over seeds with its convergence and stable rate, or its refusal."""
    try:
        runs = []
        for seed in seeds:
            runs.append(_one(experiment, entrant, seed, target))
            done()
        rate = stable_rate(entrant, experiment)
    except (ConfigurationError, DeadlockError, InvalidProgramError) as error:
        for _ in range(len(seeds) - len(runs)):
            done()
        reason = str(error).splitlines()[0].removeprefix("pipeline.mitigation: ")
        return {"system": entrant.name, "refused": reason}
    row = merge(runs, seeds)
    for name in AVERAGED:
        row |= averaged(name, [each[name] for each in runs])
    row["reached_target"] = sum(each["minibatches_to_target"] is not None for each in runs)
    return {"system": entrant.name, "reading": entrant.system.reading,
            **dict(plain(row)), "largest_stable_rate": rate}


def _one(experiment: Experiment, entrant: Entrant, seed: int, target: float) -> dict[str, Any]:
    document = entrant.document(experiment)
    training = document["training"]
    training["seed"] = seed
    if not training.get("evaluate_every"):
        training["evaluate_every"] = max(1, experiment.pipeline.minibatches // EVALUATIONS)
    trace = run(resolve(document))
    return {**report(trace), **convergence(trace, target)}
