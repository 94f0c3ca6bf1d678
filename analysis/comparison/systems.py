"""Systems by name on one experiment: what each costs and what it buys, a row each."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import Any

from analysis.comparison.compare import averaged, merge
from analysis.comparison.paired import OF_SYSTEMS, against_first
from analysis.metrics.convergence import convergence
from analysis.metrics.report import report
from analysis.metrics.staleness import inconsistent_fraction, plan_of
from analysis.theory.system_edge import stable_rate
from sim.errors import ConfigurationError, DeadlockError, InvalidProgramError
from sim.experiment.compared.entrant import Entrant
from sim.experiment.making import make_mitigation
from sim.experiment.options import Experiment
from sim.experiment.run import run
from sim.rows import plain

EVALUATIONS = 20  # of a run, where the experiment does not say
AVERAGED = ("minibatches_to_target", "epochs_to_target", "seconds_to_target")
RATES = ("throughput_minibatches_per_s", "steady_throughput_minibatches_per_s")


def system_row(experiment: Experiment, entrant: Entrant, seeds: Sequence[int], target: float,
               done: Callable[[], None] = lambda: None) -> dict[str, Any]:
    """The report of one system over seeds with its convergence and stable rates, or its refusal.

    `target` is the validation accuracy to reach; `done` is called after each run.
    """
    runs: list[dict[str, Any]] = []
    try:
        for seed in seeds:
            runs.append(system_run(experiment, entrant, seed, target))
            done()
        edges = stable_rates(experiment, entrant)
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
            **dict(plain(row)), **edges}


def system_rows(experiment: Experiment, entrants: Sequence[Entrant], seeds: Sequence[int],
                target: float, done: Callable[[], None] = lambda: None) -> list[dict[str, Any]]:
    """The rows of several systems, each with its paired difference from the first."""
    return against_first([system_row(experiment, each, seeds, target, done) for each in entrants],
                         lambda row: str(row["system"]), OF_SYSTEMS)


def system_run(experiment: Experiment, entrant: Entrant, seed: int, target: float
               ) -> dict[str, Any]:
    """The report and the convergence of one system with one seed.

    `target` is the validation accuracy to reach.  Where a system's mini-batches are parts of the
    experiment's, what is given for each mini-batch or counted in them is as of the experiment's;
    `batch_size` is the images in one of the system's.  Raises ConfigurationError, DeadlockError or
    InvalidProgramError.
    """
    system = experiment.changed(entrant.changes(experiment), {"training": {"seed": seed}})
    if not system.training.evaluate_every:
        every = max(1, system.pipeline.minibatches // EVALUATIONS)
        system = system.changed({"training": {"evaluate_every": every}})
    trace = run(system)
    values = {**report(trace), **convergence(trace, target),
              "batch_size": system.training.batch_size}
    parts = experiment.training.batch_size // system.training.batch_size
    return values if parts == 1 else _in_wholes(values, parts)


def _in_wholes(values: dict[str, Any], parts: int) -> dict[str, Any]:
    """The values of a run whose mini-batches are `parts` to one of the experiment's."""
    reached, memory = values["minibatches_to_target"], values["memory"]
    link = parts * memory["link_bytes_per_minibatch"]
    return {**values,
            **{name: None if values[name] is None else values[name] / parts for name in RATES},
            "minibatches_to_target": None if reached is None else reached / parts,
            "memory": {**memory, "link_bytes_per_minibatch": link}}


def stable_rates(experiment: Experiment, entrant: Entrant) -> dict[str, float | None]:
    """The largest stable ηλ of a system: in its own reading of a backward under other weights
    than the forward's, and under `recompute`.

    Raises ConfigurationError, DeadlockError or InvalidProgramError.
    """
    changes = entrant.changes(experiment)
    rate = stable_rate(experiment, changes)
    again = (stable_rate(experiment, changes, recompute=True)
             if _reading_matters(experiment.changed(changes)) else rate)
    return {"largest_stable_rate": rate, "largest_stable_rate_recompute": again}


def _reading_matters(system: Experiment) -> bool:
    """Whether a backward may compute with other weights than its forward did."""
    if system.pipeline.backward == "recompute":
        return False
    mitigation = make_mitigation(system.pipeline.mitigation)
    if system.shape.workers > 1 and system.shape.stages > 1:
        return True  # a worker may take up others' weights between the two
    trace = run(system, training=False)
    return (mitigation.predicts or mitigation.interpolates
            or inconsistent_fraction(trace, plan_of(trace)) > 0)
