"""Validating the simulator: profile, predict, run, and bring both home for comparison.

Two passes that never mix: a weight pass (ten updates, no times) shows that order, versions and
weights are the simulator's own; a timing pass measures no weights.
"""

from __future__ import annotations

import gc
from collections.abc import Callable, Sequence
from time import perf_counter
from typing import Any

from gpu.errors import StageMemoryError
from gpu.profiling.experiment import profile
from gpu.profiling.footprint import peak_bytes, resident_bytes
from gpu.profiling.link_times import LinkTimes, link_times
from gpu.profiling.solo import Solo
from gpu.profiling.stage_times import quiet
from gpu.runtime.run import run
from gpu.studies.validation.cases import Bench, Case
from gpu.studies.validation.exactness import predict, same_order, weight_pass
from sim.experiment.compared.validated import Validated
from sim.trace import Trace


def validate(cases: Sequence[Case], bench: Bench, done: Callable[[], None] = lambda: None,
             within_s: float = float("inf"),
             failed: Callable[[Case, StageMemoryError], None] | None = None) -> list[Validated]:
    """Validate the cases in order; the link between the devices is measured once, for all.

    The first is always done; another only where the longest so far would still fit into
    `within_s` seconds.  `done` is called after each; `failed`, where given, is told of a case that
    needs more memory than there is, and the next begins.  Raises StageError where a run fails,
    ConfigurationError where a case cannot be assembled.
    """
    began = perf_counter()
    with quiet():
        link = link_times(bench.lanes, bench.effort.trips) if len(bench.lanes) > 1 else None
    found: list[Validated] = []
    longest = 0.0
    for case in cases:
        start = perf_counter()
        if found and start - began + longest > within_s:
            break
        try:
            found.append(validate_one(case, bench, link))
        except StageMemoryError as error:
            if failed is None:
                raise
            failed(case, StageMemoryError(error.stage, error.instruction, error.device,
                                          error.reason))  # without the frames that hold tensors
        gc.collect()  # what a run held is in cycles: gone before the next one needs the room
        longest = max(longest, perf_counter() - start)
        done()
    return found


def validate_one(case: Case, bench: Bench, link: LinkTimes | None = None) -> Validated:
    """Validate one case: weight pass, profile, prediction, timing pass and memory, in this order.

    `link` is the link between the devices where it has been measured.  Raises StageError or
    ConfigurationError.
    """
    exact = weight_pass(case, bench)
    measured_profile = profile(case.experiment, case.settings, bench.specs, bench.lanes,
                               bench.effort, link, program=case.program, make=bench.assemble)
    timed = case.shortened(case.experiment.pipeline.minibatches)
    predicted = predict(timed, measured_profile)
    traces = timing_pass(timed, bench)
    measured = sorted(traces, key=lambda trace: float(trace.end_s.max()))[len(traces) // 2]
    exact = exact | {name: exact[name] and value
                     for name, value in same_order(predicted, measured).items()}
    return Validated(case.experiment, case.settings.model, exact, measured_profile, predicted,
                     measured, [float(trace.end_s.max()) for trace in traces],
                     memory_pass(timed, bench, measured), traces)


def timing_pass(case: Case, bench: Bench) -> list[Trace]:
    """The traces of a case that is run as often as the bench says, after one that warms up."""
    traces = []
    for _ in range(bench.repeats + 1):
        assembly = bench.assemble(case.experiment, case.settings, program=case.program)
        with quiet():
            traces.append(run(assembly, bench.lanes, strict=False, evaluate=False))
    return traces[1:]


def memory_pass(case: Case, bench: Bench, timed: Trace) -> list[dict[str, Any]]:
    """Peak bytes of what the stages of each device hold, an entry a device.

    On CUDA they are the allocator's of the timed run, joint where devices are parts of one.  A CPU
    has no such count: there each stream is stepped alone once more, which holds the same versions
    and activations since its order is the same.
    """
    solo = Solo(bench.assemble(case.experiment, case.settings, program=case.program), bench.lanes)
    workers = [solo.worker(d) for d in range(len(bench.lanes))]
    if bench.places[0].type == "cpu":
        return [{"device": lane.name, "stages": sorted(worker.stages),
                 "measured_bytes": peak_bytes(worker)}
                for lane, worker in zip(bench.lanes, workers, strict=True)]
    gpu = timed.header.measured()
    joint: dict[str, dict[str, Any]] = {}
    for place, worker, peak, base in zip(bench.places, workers, gpu.peak_bytes, gpu.base_bytes,
                                         strict=True):
        entry = joint.setdefault(str(place), {"device": str(place), "stages": [],
                                              "measured_bytes": (peak or 0) - (base or 0)})
        entry["stages"] += sorted(worker.stages)
        entry["measured_bytes"] += resident_bytes(worker)
    return list(joint.values())
