"""What `import analysis` gives to Python: the commands as functions of values."""

from __future__ import annotations

from collections.abc import Sequence
from os import PathLike
from pathlib import Path
from typing import Any

from analysis.advice.advise import advise as answer
from analysis.advice.question import BACKWARDS, Question
from analysis.measured.events import files_of
from analysis.measured.mapping import read_mapping
from analysis.measured.reading import measured as run_of
from analysis.measured.reading import read_run
from analysis.metrics.explained import explained, whole_report
from analysis.theory.endless import endless
from sim.library.asking import Asked, Order, with_order
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
