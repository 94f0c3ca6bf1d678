"""Every mitigation on a pipeline it accepts, beside training without a pipeline."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path

from sim.errors import ConfigurationError, unknown
from sim.experiment.configuration import read_experiment
from sim.experiment.options import Experiment
from sim.experiment.setup import Setup
from sim.mitigations import MITIGATIONS

FRESH = "sequential"  # the label of training without staleness


@dataclass(frozen=True)
class Method:
    """A row of a comparison: a mitigation on a schedule with so many micro-batches."""

    label: str
    mitigation: str
    schedule: str
    microbatches: int = 1

    def experiment(self, base: Experiment, seed: int) -> Experiment:
        """`base` with this method and seed.  Raises ConfigurationError where it is refused."""
        return base.changed(schedule=self.schedule, mitigation=self.mitigation,
                            microbatches=self.microbatches, seed=seed)


@dataclass(frozen=True)
class Refused:
    """A mitigation that no asynchronous schedule of this shape takes, and why."""

    mitigation: str
    reason: str


def with_defaults(path: Path | None, settings: Sequence[str], defaults: dict[str, object]
                  ) -> Experiment:
    """The experiment of a file and settings; `defaults` hold where neither says.

    Their keys are `section.key`.  Raises ConfigurationError.
    """
    said = read_experiment(path, settings)
    return said.changed({key: value for key, value in defaults.items()
                         if not _is_said(said, key)})


def _is_said(experiment: Experiment, key: str) -> bool:
    section, name = key.split(".")
    return name in getattr(experiment, section).model_fields_set


def methods(base: Experiment, names: Iterable[str] | None = None
            ) -> tuple[list[Method], list[Refused]]:
    """Training without staleness first, then each mitigation on the first schedule that takes it.

    `names` are mitigations (None: all); those that no schedule takes come as refusals.  Raises
    ConfigurationError for an unknown name.
    """
    chosen, refused = [Method(FRESH, "none", "sequential")], []
    for name in names or MITIGATIONS.names():
        if name not in MITIGATIONS.names():
            raise ConfigurationError([f"--mitigations: "
                                      f"{unknown('mitigation', name, MITIGATIONS.names())}"])
        reasons = []
        for method in _candidates(name, base):
            reason = why_not(method, base)
            if reason is None:
                chosen.append(method)
                break
            reasons.append(reason)
        else:
            refused.append(Refused(name, reasons[0]))
    return chosen, refused


def _candidates(name: str, base: Experiment) -> Iterator[Method]:
    yield Method(name, name, "round-robin")
    n = fewest_microbatches(base.pipeline.stages, base.training.batch_size)
    if n:
        yield Method(f"{name}, nF1B {n}", name, "nf1b", n)
        yield Method(f"{name}, {n} micro-batches", name, "round-robin", n)


def fewest_microbatches(stages: int, batch_size: int) -> int | None:
    """The fewest micro-batches, at least 2 and S−1, that divide a batch; None where none do."""
    return next((n for n in range(max(2, stages - 1), batch_size + 1) if not batch_size % n), None)


def why_not(method: Method, base: Experiment) -> str | None:
    """Why a method does not fit `base`; None where it does."""
    try:
        setup = Setup.of(method.experiment(base, 0))
        setup.versions(setup.program)
    except ValueError as error:
        return str(error).removeprefix("pipeline.mitigation: ")
    return None
