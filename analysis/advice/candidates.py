"""What an advisor weighs up: schedules × micro-batches × backwards × mitigations of a profile."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from itertools import groupby, product
from pathlib import Path

import numpy as np

from analysis.advice.footprint import footprint
from analysis.theory.endless import solve
from analysis.theory.pattern import Pattern
from analysis.theory.steady import SteadyState
from sim.arrays import Floats
from sim.errors import ConfigurationError, UnsettledError
from sim.experiment.configuration import resolve
from sim.experiment.setup import Setup, VirtualSetup
from sim.mitigations import MITIGATIONS
from sim.numerics.stage import Backward
from sim.rows import Row
from sim.schedules import SCHEDULES
from sim.times.profile import Profile
from sim.weights.versions import VersionPlan

Solved = tuple[VirtualSetup, SteadyState]


@dataclass(frozen=True)
class Candidate:
    """One pipeline to consider: how it orders passes, runs backwards and treats staleness.

    A mini-batch is `microbatches` micro-batches of the profile's size.
    """

    schedule: str
    microbatches: int
    backward: Backward
    mitigation: str

    def document(self, profile: Path, stages: int, minibatches: int = 60) -> Row:
        """The configuration that runs this candidate, for times and versions alone."""
        return {"pipeline": {"schedule": self.schedule, "stages": stages,
                             "minibatches": minibatches, "microbatches": self.microbatches,
                             "mitigation": self.mitigation, "backward": self.backward},
                "costs": {"profile": str(profile)}, "training": {"task": "none"}}


@dataclass(frozen=True)
class Measured:
    """A measured profile, the file it is in, and how many arrays as large as the weights are held
    beside them (`state_copies`: gradient and velocity)."""

    path: Path
    profile: Profile
    state_copies: float


def schedules() -> list[str]:
    """Schedules of one stage a device and one device a stage, as a profile has them, each order
    once: what equals another where nothing is cut finer is left out."""
    return [each.name for each in SCHEDULES
            if not each.chunks and each.homes == 1 and each.like is None]


def candidates(microbatches: Sequence[int], backwards: Sequence[Backward]) -> list[Candidate]:
    """Every combination of schedule, micro-batches, backward and mitigation.

    Those that differ in their mitigation alone stand side by side.
    """
    mitigations = sorted(MITIGATIONS.names(), key=lambda name: (name != "none", name))
    return [Candidate(*each) for each in product(schedules(), microbatches, backwards,
                                                 mitigations)]


def evaluate(chosen: Sequence[Candidate], measured: Measured) -> Iterator[Row]:
    """What each candidate costs and buys, a row each, in order.

    `refused` is the reason of one that cannot run, else None.
    """
    for _, group in groupby(chosen, key=lambda c: (c.schedule, c.microbatches, c.backward)):
        alike = list(group)
        found = _solved(alike[0], measured)
        for each in alike:
            yield _row(each, found, measured)


def _solved(candidate: Candidate, measured: Measured) -> Solved | str:
    """The steady state, which no mitigation changes, and its setup, or why there is none."""
    plain = Candidate(candidate.schedule, candidate.microbatches, candidate.backward, "none")
    if candidate.backward == "recompute":
        unknown = [k for k, s in enumerate(measured.profile.stages) if s.input_bytes is None]
        if unknown:
            return f"recompute keeps a stage's input: the profile has no stages.{unknown[0]}" \
                   ".input_bytes"
    try:
        setup, found = solve(resolve(plain.document(measured.path, len(measured.profile.stages))))
    except ConfigurationError as error:
        return "; ".join(error.problems)
    except UnsettledError as error:
        return str(error)
    return (setup, found) if found.period else "nothing in the profile takes any time"


def _row(candidate: Candidate, solved: Solved | str, measured: Measured) -> Row:
    row: Row = asdict(candidate)
    if isinstance(solved, str):
        return row | {"refused": solved}
    setup, found = solved
    try:
        asked = setup.experiment.changed(mitigation=candidate.mitigation)
        plan = Setup.of(asked, setup.program).versions(setup.program)
    except (ConfigurationError, ValueError) as error:
        problems = error.problems if isinstance(error, ConfigurationError) else [str(error)]
        return row | {"refused": "; ".join(problems)}
    return row | {"refused": None, **_rates(found, measured.profile),
                  **_bytes(plan, candidate, measured), **lateness(plan, found.pattern)}


def _rates(found: SteadyState, profile: Profile) -> Row:
    """Of an endless run; samples where the profile says how many a micro-batch has."""
    n, size = found.pattern.program.shape.microbatches, profile.microbatch_size
    return {"batch_size": None if size is None else n * size,
            "period_s": found.period_s,
            "minibatches_per_s": float(1 / found.period),
            "microbatches_per_s": float(n / found.period),
            "samples_per_s": None if size is None else float(n * size / found.period),
            "bubble_fraction": found.bubble_fraction}


def _bytes(plan: VersionPlan, candidate: Candidate, measured: Measured) -> Row:
    held = footprint(plan, measured.profile, candidate.backward, measured.state_copies)
    return {"peak_bytes": float(held.peak.max()),
            "versions_held": plan.versions_held.tolist(),
            "device_bytes": {name: values.tolist() for name, values in vars(held).items()}}


def lateness(plan: VersionPlan, pattern: Pattern) -> Row:
    """Updates behind, and the share of passes whose halves disagree, of the endless run."""
    n = pattern.program.shape.microbatches
    mine = slice((pattern.first - 1) * n, (pattern.first - 1 + pattern.minibatches) * n)
    passes = np.stack([plan.applied - plan.forward, _effective(plan)])[:, :, mine]
    return {"staleness_mean": float(passes.mean()), "staleness_max": float(passes.max()),
            "inconsistent_fraction": float((plan.forward != plan.backward)[:, mine].mean())}


def _effective(plan: VersionPlan) -> Floats:
    """Effective updates behind of the backwards, shape (stages, micro-batches)."""
    gaps, place = np.unique(plan.applied - plan.backward, return_inverse=True)
    each = np.array([float(plan.mitigation.effective_staleness(int(gap))) for gap in gaps])
    effective: Floats = each[place].reshape(plan.backward.shape)
    return effective
