"""What a picture of trainings is drawn from: losses and accuracy of each run over its time."""

from __future__ import annotations

import math
from collections.abc import Iterable, Sequence
from typing import Any

import numpy as np

from analysis.metrics.timing import finished_s
from figures.traces.wanted import Run, Wanted
from sim.errors import ConfigurationError
from sim.rows import Row, Rows
from sim.trace import Trace

EVALUATED = {"training_loss": "loss over the training set",
             "validation_loss": "loss over the validation set",
             "accuracy": "validation accuracy"}
OF_MINIBATCHES = "minibatch_loss"
QUANTITIES = {**EVALUATED, OF_MINIBATCHES: "loss of a mini-batch"}
POINTS = 200  # of the mini-batches' losses: of more, means over equal stretches [choice]
FEW = 5  # runs that are told, and coloured, one by one


def rows(runs: Sequence[Run], wanted: Wanted) -> Rows:
    """A row per evaluation of each run: mini-batch (from 1), simulated second at which it was done
    on every stage, losses and accuracy (None: not known, or no longer finite).

    Where a run was evaluated less than twice, of all runs the losses of the mini-batches, means
    over equal stretches of a long one.  Raises ConfigurationError where a run trained nothing, or
    nothing lies in the window.
    """
    untrained = [run.name for run in runs if OF_MINIBATCHES not in run.trace.curves]
    if untrained:
        raise ConfigurationError([f"training.task: {name} trained nothing, so it has no curve; "
                                  "choose a task, e.g. digits-mlp, and training.evaluate_every"
                                  for name in untrained])
    evaluated = all(len(evaluations(run.trace)) > 1 for run in runs)
    found = [row for run in runs for row in _of(run, evaluated)
             if (wanted.from_s or 0.0) <= row["second"] <= (wanted.to_s or math.inf)]
    empty = [run.name for run in runs if all(row["run"] != run.name for row in found)]
    if empty:
        raise ConfigurationError([f"--from, --to: {name} has no point in the window" for name in
                                  empty])
    return found


def evaluations(trace: Trace) -> Any:
    """Mini-batches (from 1) after which a trace was evaluated, shape (evaluations,)."""
    return trace.curves.get("evaluated_minibatch", np.zeros(0, dtype=np.int64))


def _of(run: Run, evaluated: bool) -> Iterable[Row]:
    trace = run.trace
    done = np.maximum.accumulate(finished_s(trace))
    if evaluated:
        at = evaluations(trace)
        columns = {name: trace.curves[name] for name in EVALUATED}
    else:
        loss = trace.curves[OF_MINIBATCHES]
        stretches = np.array_split(np.arange(len(loss)), min(POINTS, len(loss)))
        at = np.array([stretch[-1] + 1 for stretch in stretches])
        with np.errstate(all="ignore"):  # of a run that diverges
            columns = {OF_MINIBATCHES: np.array([loss[some].mean() for some in stretches])}
    learnt, settings = trace.header.training, trace.header.experiment.get("pipeline", {})
    for number, minibatch in enumerate(at.tolist()):
        yield {"run": run.name, "mitigation": trace.header.mitigation,
               "schedule": str(settings.get("schedule", "")),
               "microbatches": trace.shape.microbatches,
               "minibatch": minibatch, "second": float(done[minibatch - 1]),
               **{name: _finite(column[number]) for name, column in columns.items()},
               "diverged_at": None if learnt is None else learnt.diverged_at}


def _finite(value: Any) -> float | None:
    return float(value) if math.isfinite(value) else None


def there_of(found: Rows) -> list[str]:
    """The quantities that every run has a number of."""
    runs = {row["run"] for row in found}
    return [name for name in QUANTITIES if runs == {
        row["run"] for row in found if row.get(name) is not None}] or [
        name for name in QUANTITIES if name in found[0]]


def message(found: Rows) -> str:
    """The headline: how each run ended, of many the best and the worst."""
    name, last = there_of(found)[0], last_of(found)
    runs = list(last)
    known = sorted((run for run in runs if last[run].get(name) is not None
                    and last[run]["diverged_at"] is None), key=lambda run: last[run][name])
    bad = [f"{run} diverged at mini-batch {last[run]['diverged_at']}"
           for run in runs if last[run]["diverged_at"] is not None]
    if len(runs) == 1 and known:
        return _of_one(last[known[0]])
    told = known if len(known) <= FEW else [*known[:2], known[-1]]
    ends = ", ".join(f"{last[run][name]:.2g} ({run})" for run in told)
    said = [f"{QUANTITIES[name]} at the end: {ends}"] if told else []
    said += bad if len(bad) <= FEW else [f"{len(bad)} runs diverged"]
    return _capital("; ".join(said) or f"{len(runs)} trainings")


def _of_one(row: Row) -> str:
    said = [f"{QUANTITIES[name]} {row[name]:.2g}" if name != "accuracy"
            else f"validation accuracy {100 * row[name]:.1f} %"
            for name in QUANTITIES if row.get(name) is not None]
    return f"After {row['minibatch']} mini-batches ({row['second']:.4g} s): {', '.join(said)}"


def _capital(text: str) -> str:
    return text[:1].upper() + text[1:]


def last_of(found: Rows) -> dict[str, Row]:
    """The last row of each run, by name."""
    return {row["run"]: row for row in found}
