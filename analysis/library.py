"""What `import analysis` gives to Python: the commands as functions of values."""

from __future__ import annotations

from collections.abc import Sequence
from os import PathLike
from pathlib import Path
from typing import Any

from analysis.advice.advise import BACKWARDS, Question
from analysis.advice.advise import advise as answer
from analysis.drift.policies import policies as policies_of
from analysis.drift.problem import DriftProblem
from analysis.drift.study import rows as policy_rows
from analysis.measured.events import files_of
from analysis.measured.mapping import read_mapping
from analysis.measured.reading import measured as run_of
from analysis.measured.reading import read_run
from analysis.metrics.explained import explained, whole_report
from analysis.theory.endless import endless
from sim.library.asking import Asked, Order, experiment_of, with_order
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


def advise(profile: str | PathLike[str], *, memory_limit: float, devices: int,
           microbatches: Sequence[int] = (), batch_sizes: Sequence[int] = (),
           backward: str = "both", state_copies: float = 2.0, consistent: bool = False) -> Report:
    """Schedules, mitigations and micro-batches worth a try for a measured profile (a file).

    `memory_limit` is in bytes of each device; `backward` is graph, recompute or both.  What
    comes back is what `analysis advise --json` prints.  Raises ConfigurationError or ProfileError.
    """
    backwards = [each for each in BACKWARDS if backward in (each, "both")]
    return answer(Question(Path(profile), memory_limit, devices, microbatches, batch_sizes,
                           backwards, state_copies, consistent))


def drift(experiment: Asked = None, /, *, policies: Sequence[str] | None = None, every: int = 10,
          seeds: int = 1, orders: Sequence[str] | None = None, state_copies: float = 1.0,
          **keys: Any) -> list[Report]:
    """Policies for an experiment whose costs drift, a row each, as `analysis drift --json` has
    them: static, greedy, replan and recut, or those of `policies`.

    Something may change every `every` mini-batches; `orders` are the schedules to choose from
    (None: all that suit), and a layer that moves takes `state_copies` arrays as large as its
    weights along.  Numbers are means over `seeds`, which count from training.seed.  `experiment`
    and `keys` as `sim.run` takes them.  Raises ConfigurationError; what a policy alone refuses
    stands in its row, under `refused`.
    """
    asked = experiment_of(experiment, keys)
    first = asked.training.seed
    problem = DriftProblem(asked, every, state_copies, None if orders is None else tuple(orders))
    chosen = policies_of(None if policies is None else ",".join(policies))
    return policy_rows(problem, chosen, range(first, first + seeds))
