"""Systems by name on one experiment: what each costs and what it buys, a row each."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from analysis.comparison.compare import averaged, merge
from analysis.comparison.paired import OF_SYSTEMS, against_first
from analysis.metrics.convergence import convergence
from analysis.metrics.report import report
from analysis.theory.system_edge import stable_rate
from sim.errors import ConfigurationError, DeadlockError, InvalidProgramError
from sim.experiment.compared.entrant import Entrant
from sim.experiment.options import Experiment
from sim.experiment.run import run
from sim.rows import plain

EVALUATIONS = 20  # of a run, where the experiment does not say
AVERAGED = ("minibatches_to_target", "epochs_to_target", "seconds_to_target",
            "accuracy_fluctuation")


def system_row(experiment: Experiment, entrant: Entrant, seeds: Sequence[int], target: float,
               done: Callable[[], None] = lambda: None) -> dict[str, Any]:
    """The report of one system over seeds with its convergence and stable rate, or its refusal.

    `target` is the validation accuracy to reach; `done` is called after each run.
    """
    try:
        runs = []
        for seed in seeds:
            runs.append(_one(experiment, entrant, seed, target))
            done()
        rate = stable_rate(experiment, entrant.changes(experiment))
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


def system_rows(experiment: Experiment, entrants: Sequence[Entrant], seeds: Sequence[int],
                target: float, done: Callable[[], None] = lambda: None) -> list[dict[str, Any]]:
    """The rows of several systems, each with its paired difference from the first."""
    return against_first([system_row(experiment, each, seeds, target, done) for each in entrants],
                         lambda row: str(row["system"]), OF_SYSTEMS)


def _one(experiment: Experiment, entrant: Entrant, seed: int, target: float) -> dict[str, Any]:
    every = (experiment.training.evaluate_every
             or max(1, experiment.pipeline.minibatches // EVALUATIONS))
    trace = run(experiment.changed(entrant.changes(experiment),
                                   {"training": {"seed": seed, "evaluate_every": every}}))
    return {**report(trace), **convergence(trace, target)}
