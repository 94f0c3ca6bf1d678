"""What `import analysis` gives to Python: the commands as functions of values."""

from __future__ import annotations

from collections.abc import Sequence
from os import PathLike
from pathlib import Path
from typing import Any

from analysis.advice.advise import advise as answer
from analysis.advice.question import BACKWARDS, WITHIN_S
from analysis.advice.question import Question as Advised
from analysis.cuts.problem import Objective
from analysis.drifting.policies import policies as policies_of
from analysis.drifting.problem import DriftProblem
from analysis.drifting.study import rows as policy_rows
from analysis.measured.events import files_of
from analysis.measured.mapping import read_mapping
from analysis.measured.reading import measured as run_of
from analysis.measured.reading import read_run
from analysis.metrics.explained import explained, whole_report
from analysis.ordering.asked.answer import answer as ordered
from analysis.ordering.asked.question import Question as OrderQuestion
from analysis.planning.answer import partitioned
from analysis.planning.question import Question
from analysis.theory.endless import endless
from sim.library.asking import Asked, Order, experiment_of, with_order
from sim.numerics.stage import Backward
from sim.trace import Trace

Report = dict[str, Any]


def report(trace: Trace | str | PathLike[str]) -> Report:
    """Every metric of a trace, or of the trace in a file: what `sim run --json` prints.

    Raises TraceError where the file is none.
    """
    return whole_report(trace if isinstance(trace, Trace) else read_run(Path(trace)))


def idle(trace: Trace | str | PathLike[str]) -> Report:
    """What the devices of a run, or of the trace in a file, waited for while they stood idle: by
    device, and of the largest stretches which message, of whom, and what ran meanwhile.

    Raises TraceError where the file is none.
    """
    return explained(trace if isinstance(trace, Trace) else read_run(Path(trace)))


def profiled(*traces: str | PathLike[str], mapping: str | PathLike[str] | None = None) -> Trace:
    """The run that a profiler wrote down, in Chrome traces (`.json`, `.json.gz`) of one rank each.

    `mapping` is a file that says which ranges are passes; None: those that PyTorch's pipelining
    names.  Raises TraceError, InputError or ConfigurationError.
    """
    given = None if mapping is None else read_mapping(Path(mapping))
    return run_of([file for path in traces for file in files_of(Path(path))], given)


def steady(experiment: Asked = None, /, *, program: Order = None, **keys: Any) -> Report:
    """Throughput, bubble and staleness of an experiment run for ever, without running it.

    All as `sim.run` takes it; the number of mini-batches plays no part.
    Raises ConfigurationError where the order or the costs do not repeat.
    """
    return endless(*with_order(experiment, keys, program))


def partition(layers: str | PathLike[str], *, devices: int, objective: Objective = "throughput",
              microbatches: int | None = None, replicas: bool = False, levels: Sequence[int] = (),
              bandwidth: float | Sequence[float] = (), latency: float | Sequence[float] = (),
              memory_limit: float | None = None, schedule: str | None = None,
              mitigation: str = "stash", backward: Backward = "graph", state_copies: float = 2.0,
              transfers: bool = False, ways: int | Sequence[int] = 1,
              ring_bandwidth: float | None = None, ring_latency: float | None = None,
              most: int | None = None) -> Report:
    """Where to cut the measured layers of a network (a file) into stages, for so many devices.

    `bandwidth`, in bytes per second, and `latency`, in seconds, are one number or one for each of
    `levels`, lowest first; `ways` are how many devices may share every stage's layers, over links
    of their own of `ring_bandwidth` and `ring_latency`; `memory_limit` is in bytes of each device.
    What comes back is what `analysis partition --json` prints: the best cut by its formula, and
    each of at most `most` candidates (None: as many as take a few seconds) as the simulator runs
    it.  Raises ConfigurationError or ProfileError.
    """
    bandwidths, latencies = ((value,) if isinstance(value, int | float) else tuple(value)
                             for value in (bandwidth, latency))
    return partitioned(Question(Path(layers), devices, objective, microbatches, replicas, levels,
                                bandwidths, latencies, memory_limit, schedule, mitigation,
                                backward, state_copies, transfers,
                                (ways,) if isinstance(ways, int) else tuple(ways),
                                ring_bandwidth, ring_latency, most))


def advise(profile: str | PathLike[str], *, memory_limit: float, devices: int,
           microbatches: Sequence[int] = (), batch_sizes: Sequence[int] = (),
           backward: str = "both", state_copies: float = 2.0, consistent: bool = False,
           schedules: Sequence[str] = (), mitigations: Sequence[str] = (),
           layers: bool | None = None, ways: Sequence[int] = (), bandwidth: float | None = None,
           latency: float | None = None, ring_bandwidth: float | None = None,
           ring_latency: float | None = None, seconds: float = WITHIN_S,
           search: float = 0.0) -> Report:
    """Schedules, mitigations and micro-batches worth a try for a measured profile (a file).

    `memory_limit` is in bytes of each device; `backward` is graph, recompute or both.  A profile of
    `layers` (None: as the file has it), or a graph.txt, is cut besides, with replicas and tensor
    `ways`; `bandwidth` (bytes per second) and `latency` (seconds) are those of its links where they
    were not measured, those of the ring between tensor ways its own; no more are begun after so
    many `seconds`, and better orders are looked for in as many of `search`.  What comes back is
    what `analysis advise --json` prints.  Raises ConfigurationError or ProfileError.
    """
    backwards = [each for each in BACKWARDS if backward in (each, "both")]
    return answer(Advised(
        Path(profile), memory_limit, devices, microbatches, batch_sizes, backwards, state_copies,
        consistent, schedules, mitigations, layers, bandwidth, latency, ways, ring_bandwidth,
        ring_latency, seconds, search))


def order(profile: str | PathLike[str], *, microbatches: int | None = None,
          memory_limit: float | None = None, max_staleness: int = 0, seconds: float = 10.0,
          rounds: int | None = None, seed: int = 0, devices: int | None = None,
          plan: str | PathLike[str] | None = None, mitigation: str | None = None,
          state_copies: float = 0.0, move_stages: bool = False, minibatches: int | None = None,
          settings: Sequence[str] = ()) -> Report:
    """The best order found for a profile of stages, for layers (cut for so many `devices`, or as
    the file `plan` says) or for an experiment (.toml): what `analysis schedule --json` prints.

    `memory_limit` is in bytes of each device, `max_staleness` in updates (0: flushed), `seconds`
    are for the search, or `rounds` steps with the same result everywhere.  `settings` are
    `KEY=VALUE` of the experiment.  The order itself is under `program`, a text that
    `sim.parse_program` reads.  Raises ConfigurationError or ProfileError.
    """
    question = OrderQuestion(Path(profile), microbatches, memory_limit, max_staleness, devices,
                             None if plan is None else Path(plan), mitigation, state_copies,
                             settings)
    found = ordered(question.problem(), seconds=seconds, rounds=rounds, seed=seed,
                    minibatches=minibatches, move_stages=move_stages)
    return {"profile": str(profile), **found.told}


def drift(experiment: Asked = None, /, *, policies: Sequence[str] | None = None, every: int = 10,
          seeds: int = 1, orders: Sequence[str] | None = None, rounds: int = 0,
          state_copies: float = 1.0, gain: float = 0.01, doubt: float = 0.0, **keys: Any
          ) -> list[Report]:
    """Policies for an experiment whose costs drift, a row each, as `analysis drift --json` has
    them: static, greedy, replan and recut, or those of `policies`.

    Something may change every `every` mini-batches, where it saves the share `gain` of what is left
    at the pace that was seen (one that is `doubt` standard errors away from what was believed);
    `orders` are the schedules to choose from (None: all that suit), with
    `rounds` moves a search for one of its own beside them, and a layer that moves takes
    `state_copies` arrays as large as its weights along.  Numbers are means over `seeds`, which
    count from training.seed.  `experiment` and `keys` as `sim.run` takes them.  Raises
    ConfigurationError; what a policy alone refuses stands in its row, under `refused`.
    """
    asked = experiment_of(experiment, keys)
    first = asked.training.seed
    problem = DriftProblem(asked, every, state_copies,
                           None if orders is None else tuple(orders), rounds, gain, doubt)
    chosen = policies_of(None if policies is None else ",".join(policies))
    return policy_rows(problem, chosen, range(first, first + seeds))
