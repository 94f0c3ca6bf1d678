"""One experiment beside itself: as the simulator predicts it, and as a machine ran it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

from sim.experiment.options import Experiment
from sim.times.profile import Profile
from sim.trace import Trace


@dataclass(frozen=True)
class Validated:
    """What validating one experiment gave, measured on stages of the network `model`.

    `exact` says whether order, versions and weights are equal.  `traces` are those of every timed
    run and `makespans_s` their seconds; `measured` is the one of `traces` with the median makespan
    (without `traces` it is the only one that is looked at).  `memory` has by device its stages and
    the peak in bytes.
    """

    experiment: Experiment
    model: str
    exact: dict[str, Any]
    profile: Profile
    predicted: Trace
    measured: Trace
    makespans_s: list[float]
    memory: list[dict[str, Any]]
    traces: list[Trace] = field(default_factory=list)
