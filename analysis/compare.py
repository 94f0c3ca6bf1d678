"""One experiment under several mitigations and seeds: a row each, refusals included."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from analysis.report import plain, report
from sim.configuration import ConfigurationError, Experiment, resolve, toml_value
from sim.engine import DeadlockError
from sim.experiment import run
from sim.mitigations import MITIGATIONS
from sim.schedules import SCHEDULES

_ITEM = re.compile(r"(?P<name>[^:@/]+)(?P<parameters>(?::[^:@/=]+=[^:@/]+)*)"
                   r"(?:@(?P<schedule>[^/]+)(?:/(?P<microbatches>\d+))?)?")
AVERAGED = ("final_loss", "validation_loss", "accuracy")


@dataclass(frozen=True)
class Contender:
    """What one row runs: a mitigation table, and a schedule where it is not the experiment's."""

    mitigation: dict[str, Any]
    schedule: str | None = None
    microbatches: int | None = None

    @classmethod
    def parse(cls, text: str) -> Contender:
        """`i-timeprest:decay=0.5@nf1b/7`: parameters after colons, then schedule/micro-batches.

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

    def document(self, experiment: Experiment, seed: int) -> dict[str, Any]:
        """The experiment's document with this contender and seed in it."""
        document = experiment.model_dump(mode="python", exclude_unset=True)
        pipeline = document.setdefault("pipeline", {})
        pipeline["mitigation"] = self.mitigation
        if self.schedule:
            pipeline["schedule"] = self.schedule
            pipeline["microbatches"] = self.microbatches or pipeline.get("microbatches", 1)
        document.setdefault("training", {})["seed"] = seed
        return document


def contenders(text: str) -> list[Contender]:
    """A comma-separated list; `all` is every mitigation.  Raises ConfigurationError."""
    names = MITIGATIONS.names() if text.strip() == "all" else text.split(",")
    chosen = [Contender.parse(name) for name in names if name.strip()]
    known = [(c.mitigation["name"], "mitigation", MITIGATIONS.names()) for c in chosen]
    known += [(c.schedule, "schedule", SCHEDULES.names()) for c in chosen if c.schedule]
    unknown = [f"--mitigations: {kind} {name!r} is unknown; choose from {', '.join(choices)}"
               for name, kind, choices in known if name not in choices]
    if unknown or not chosen:
        raise ConfigurationError(unknown or [f"--mitigations: name at least one of "
                                             f"{', '.join(MITIGATIONS.names())}, or all"])
    return chosen


def row(experiment: Experiment, contender: Contender, seeds: Sequence[int],
        done: Callable[[], None] = lambda: None) -> dict[str, Any]:
    """The report of one contender over seeds: means, `…_sd` beside them, or why it is refused."""
    reports = []
    for seed in seeds:
        try:
            reports.append(report(run(resolve(contender.document(experiment, seed)))))
        except (ConfigurationError, DeadlockError) as error:
            reason = str(error).removeprefix("pipeline.mitigation: ")
            return {"mitigation": contender.mitigation["name"], "refused": reason,
                    "schedule": contender.schedule or experiment.pipeline.schedule}
        finally:
            done()
    return merge(reports, seeds)


def merge(reports: Sequence[dict[str, Any]], seeds: Sequence[int]) -> dict[str, Any]:
    """One report for several seeds: what training gave is averaged over those that have it."""
    merged = dict(reports[0]) | {"seeds": list(seeds), "refused": None}
    for name in AVERAGED:
        merged[name], merged[f"{name}_sd"] = mean_sd([each[name] for each in reports])
    for name in ("weight_distance", "weight_rmse", "weight_gap"):
        merged[name] = {p: _column_means([each[name][p] for each in reports])
                        for p in reports[0][name]}
    diverged = [seed for seed, each in zip(seeds, reports, strict=True) if each["diverged"]]
    if reports[0]["diverged"] is not None:
        merged |= {"diverged": bool(diverged), "diverged_seeds": diverged}
    return dict(plain(merged))


def mean_sd(values: Sequence[float | None]) -> tuple[float | None, float | None]:
    """Mean and sample standard deviation; None as soon as one value is missing (diverged)."""
    known = [v for v in values if v is not None]
    if len(known) < len(values) or not known:
        return None, None
    return float(np.mean(known)), float(np.std(known, ddof=1)) if len(known) > 1 else 0.0


def _column_means(rows: Sequence[Sequence[float | None]]) -> list[float]:
    return [float(np.mean([math.nan if v is None else v for v in column]))
            for column in zip(*rows, strict=True)]
