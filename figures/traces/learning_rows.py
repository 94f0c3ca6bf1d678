"""What a picture of trainings is drawn from: losses and accuracy of each run over its time."""

from __future__ import annotations

import math
from collections.abc import Iterable, Mapping, Sequence
from itertools import takewhile
from typing import Any

import numpy as np

from analysis.metrics.timing import finished_s
from figures.methods import bounds, spread
from figures.traces.wanted import Run, Wanted
from sim.errors import ConfigurationError
from sim.rows import Row, Rows
from sim.spread import POSITIVE, SHARE
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

    Runs that differ in their seed alone are one `curve`.  Where a run was evaluated less than
    twice, of all runs the losses of the mini-batches, means over equal stretches of a long one.
    Raises ConfigurationError where a run trained nothing, or nothing lies in the window.
    """
    untrained = [run.name for run in runs if OF_MINIBATCHES not in run.trace.curves]
    if untrained:
        raise ConfigurationError([f"training.task: {name} trained nothing, so it has no curve; "
                                  "choose a task, e.g. digits-mlp, and training.evaluate_every"
                                  for name in untrained])
    evaluated = all(len(evaluations(run.trace)) > 1 for run in runs)
    curves = _curves(runs)
    found = [{"curve": curves[run.name], **row} for run in runs for row in _of(run, evaluated)
             if (wanted.from_s or 0.0) <= row["second"] <= (wanted.to_s or math.inf)]
    empty = [run.name for run in runs if all(row["run"] != run.name for row in found)]
    if empty:
        raise ConfigurationError([f"--from, --to: {name} has no point in the window" for name in
                                  empty])
    return found


def _curves(runs: Sequence[Run]) -> dict[str, str]:
    """The curve that each run is of, by the run's name: its own, or that of all the runs which
    differ by their seed alone."""
    alike: dict[str, list[Run]] = {}
    for run in runs:
        settings = {table: dict(keys) if isinstance(keys, Mapping) else keys
                    for table, keys in run.trace.header.experiment.items()}
        settings.get("training", {}).pop("seed", None)
        own = run.name if run.trace.header.gpu is not None or run.program else ""
        alike.setdefault(repr((settings, run.trace.shape, own)), []).append(run)
    names: dict[str, str] = {}
    for same in alike.values():
        called = _common([run.name for run in same])
        seeds = {run.trace.header.seed for run in same}
        apart = len(same) == 1 or len(seeds) < len(same) or called in names.values()
        names |= {run.name: run.name if apart else called for run in same}
    return names


def _common(names: Sequence[str]) -> str:
    """What runs of several seeds are called: what their names begin with, less their numbers."""
    letters = takewhile(lambda each: len(set(each)) == 1, zip(*names, strict=False))
    begin = "".join(each[0] for each in letters).rstrip(" -_.#0123456789")
    return f"{begin or names[0]}, {len(names)} seeds"


def averaged(found: Rows) -> Rows:
    """A row per curve and mini-batch: means over its runs, and under `QUANTITY bounds` the ends of
    their spread as `figures.methods.bounds` has them (None of a single run).

    What one of the runs does not know, as after it diverged, none does.
    """
    together: dict[tuple[str, int], Rows] = {}
    for row in found:
        together.setdefault((str(row.get("curve", row["run"])), row["minibatch"]), []).append(row)
    count = {curve: len({row["run"] for row in found if str(row.get("curve", row["run"])) == curve})
             for curve, _ in together}
    merged = []
    for (curve, _), some in together.items():
        if len(some) < count[curve]:
            continue  # at an edge of the window
        names = [name for name in QUANTITIES if name in some[0]]
        spreads = {name: spread([row[name] for row in some], SHARE if name == "accuracy" else
                                POSITIVE) for name in names}
        gone = [row["diverged_at"] for row in some if row["diverged_at"] is not None]
        merged.append({
            **some[0], "run": curve, "second": sum(row["second"] for row in some) / len(some),
            **{name: _finite(each.mean) for name, each in spreads.items()},
            **{f"{name} bounds": bounds(each) if len(some) > 1 else None
               for name, each in spreads.items()},
            "diverged_at": min(gone, default=None)})
    return merged


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
    """The headline: how each curve ended, of many the best and the worst."""
    found = averaged(found)
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
