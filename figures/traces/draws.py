"""One program under many draws of its jitter: how long each run takes, and how idle devices are."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace

from analysis.metrics.timing import timing
from figures.traces.wanted import Run
from sim.commands.bars import counted_later
from sim.errors import ConfigurationError, DeadlockError
from sim.experiment.options import Experiment
from sim.experiment.run import run as simulated
from sim.experiment.run import shared_machine
from sim.experiment.setup import VirtualSetup, rows_of
from sim.kernels.pairs import choose
from sim.numerics.tasks import stream
from sim.order.program import Program
from sim.rows import Row, Rows
from sim.times.contention import contends
from sim.times.replicas.blocks import Replica
from sim.times.replicas.replicate import replicate
from sim.trace import Trace

DRAWS, FEWEST = 200, 20  # of each run; fewer where it is long [choice]
TOGETHER = 2_000_000  # instructions simulated side by side: their times take 32 MB
MOST_ROWS = {"static": 20_000_000, "greedy": 40_000}  # instructions of all draws: a few seconds
BOTH = 3  # runs that are drawn under both dispatches; of more, each under its own [choice]
OTHER = {"static": "greedy", "greedy": "static"}
Asked = tuple[Run, Experiment, int, bool]  # with the number of draws, and whether it may be refused


def draws_of(runs: Sequence[Run], draws: int = DRAWS) -> Rows:
    """A row per draw of the jitter of each run, by the number of its seed: makespan and seconds a
    mini-batch takes in the steady state, bubble as a share; and a row without jitter (seed None).

    A run whose schedule gives its order is drawn under the other dispatch too, where that can be
    run and runs are few.  Seeds count from the run's own.  Raises ConfigurationError where a run
    has no jitter, or cannot be run again.
    """
    problems = [problem for run in runs for problem in _problems(run)]
    if problems:
        raise ConfigurationError(problems)
    asked = [each for run in runs for each in _dispatched(run, draws)
             if len(runs) <= BOTH or not each[-1]]
    found: Rows = []
    with counted_later(sum(count for _, _, count, _ in asked)) as done:
        for run, experiment, count, beside in asked:
            try:
                found += _of(run, experiment, count, done)
            except (ConfigurationError, DeadlockError):
                if not beside:
                    raise
    return found


def _problems(run: Run) -> Iterator[str]:
    if run.experiment is None:
        yield f"{run.name}: cannot be run again, so nothing can be drawn; give an experiment file"
    elif not _sigma(run.experiment):
        yield (f"costs.jitter: {run.name} has none, so all its runs are alike; set it, e.g. "
               "costs.jitter.sigma=0.1")


def _sigma(experiment: Experiment) -> float:
    return 0.0 if experiment.costs.jitter is None else experiment.costs.jitter.sigma


def _dispatched(run: Run, draws: int) -> Iterator[Asked]:
    """The experiment as it is, and under the other dispatch where its schedule gives the order and
    that many runs are a matter of seconds."""
    experiment = run.experiment
    assert experiment is not None  # refused above
    rows = max(1, rows_of(experiment) if run.program is None else len(run.program))
    own = experiment.pipeline.dispatch
    yield run, experiment, _count(own, rows, draws), False
    other = OTHER[own]
    if run.program is None and FEWEST * rows <= 10 * MOST_ROWS[other]:
        try:
            changed = experiment.changed({"pipeline": {"dispatch": other}})
        except ConfigurationError:
            return
        yield run, changed, _count(other, rows, draws), True


def _count(dispatch: str, rows: int, draws: int) -> int:
    """How many draws a run of so many rows has."""
    return min(draws, max(FEWEST, MOST_ROWS[dispatch] // rows))


def _of(run: Run, experiment: Experiment, count: int, done: Callable[[], None]) -> Rows:
    """The rows of one run under one dispatch; `done` is called after each draw."""
    still = simulated(experiment.changed({"costs": {"jitter": None}}), run.program,
                      training=False)
    seeds = [experiment.training.seed + number for number in range(count)]
    common = {"run": run.name, "dispatch": experiment.pipeline.dispatch,
              "sigma": _sigma(experiment)}
    found = [{**common, "seed": None, **_times(still)}]
    for seed, trace in zip(seeds, _traces(experiment, run.program, seeds), strict=True):
        found.append({**common, "seed": seed, **_times(trace)})
        done()
    return found


def _traces(experiment: Experiment, program: Program | None, seeds: Sequence[int]
            ) -> Iterator[Trace]:
    """The runs that the seeds give, times alone: side by side where they share one order."""
    setup = VirtualSetup.of(experiment, program)
    alone = (experiment.pipeline.dispatch != "static" or shared_machine(setup) is not None
             or (setup.profile is not None and contends(setup.profile)))
    if alone:
        for seed in seeds:
            yield simulated(experiment.changed({"training": {"seed": seed}}), program,
                            training=False)
        return
    like = simulated(experiment, program, training=False)
    kernels = choose(len(like) * len(seeds))
    block = max(1, TOGETHER // len(like))
    for first in range(0, len(seeds), block):
        times = replicate(setup.program, [
            Replica(setup.costs, setup.cluster, stream(seed, "jitter"))
            for seed in seeds[first:first + block]], columns=True, kernels=kernels)
        assert times.start_s is not None
        assert times.end_s is not None  # asked for
        for start_s, end_s in zip(times.start_s, times.end_s, strict=True):
            yield replace(like, start_s=start_s, end_s=end_s)


def _times(trace: Trace) -> Row:
    found = timing(trace)
    rate = found.steady_throughput_minibatches_per_s
    return {"makespan_s": found.makespan_s, "step_s": None if rate is None else 1 / rate,
            "bubble": None if math.isnan(found.bubble_fraction) else found.bubble_fraction}
