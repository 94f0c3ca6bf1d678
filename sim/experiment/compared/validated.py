"""One experiment beside itself: as the simulator predicts it, and as a machine ran it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from sim.experiment.options import Experiment
from sim.times.profile import Profile
from sim.trace import Trace


@dataclass(frozen=True)
class Validated:
    """What validating one experiment gave, measured on stages of the network `model`.

    `exact` says whether order, versions and weights are equal, `makespans_s` are the seconds of
    every timed run (the `measured` trace is the median one), `memory` has by device its stages
    and the peak in bytes.
    """

    experiment: Experiment
    model: str
    exact: dict[str, Any]
    profile: Profile
    predicted: Trace
    measured: Trace
    makespans_s: list[float]
    memory: list[dict[str, Any]]
