"""The critical path: a chain without gaps from the start to the last end of a simulated run."""

import numpy as np
import pytest

from analysis.metrics.critical import critical_path
from analysis.validation.path import critical_path_s
from sim.experiment.configuration import resolve
from sim.experiment.run import run
from sim.trace import Trace

RUNS = [
    {}, {"pipeline": {"stages": 5, "dispatch": "greedy"}, "costs": {"jitter": {"sigma": 0.4}},
         "cluster": {"latency_s": 0.3}},
    {"pipeline": {"schedule": "gpipe", "microbatches": 4}, "cluster": {"latency_s": 0.5}},
    {"pipeline": {"schedule": "split", "microbatches": 8, "stages": 4}},
    {"pipeline": {"schedule": "interleaved", "stages": 8, "chunks": 2, "microbatches": 8}}]


def simulated(settings: dict) -> Trace:
    pipeline = {"minibatches": 12, **settings.get("pipeline", {})}
    return run(resolve({**settings, "pipeline": pipeline}), training=False)


@pytest.mark.parametrize("settings", RUNS, ids=range(len(RUNS)))
def test_it_is_a_chain_as_long_as_the_run(settings) -> None:
    trace = simulated(settings)
    path = critical_path(trace)
    rows = path.rows
    assert trace.start_s[rows[0]] == 0
    assert trace.end_s[rows[-1]] == trace.end_s.max()
    gaps = trace.start_s[rows[1:]] - trace.end_s[rows[:-1]]
    assert (gaps >= 0).all()
    assert float(gaps.sum()) == pytest.approx(path.message_s)
    assert path.compute_s + path.message_s == pytest.approx(trace.end_s.max())
    assert path.compute_s + path.message_s == pytest.approx(critical_path_s(trace))
    assert path.other_s == pytest.approx(0, abs=1e-9)
    before, after = trace.program().dependencies
    needs = set(zip(before.tolist(), after.tolist(), strict=True))
    for one, other in zip(rows.tolist(), rows[1:].tolist(), strict=False):
        assert (one, other) in needs or (other == one + 1
                                         and trace.device[one] == trace.device[other])


def test_the_slowest_stage_holds_it() -> None:
    trace = simulated({"costs": {"forward_s": [1.0, 3.0, 1.0]}, "pipeline": {"minibatches": 40}})
    rows = critical_path(trace).rows
    busy = np.bincount(trace.stage[rows], (trace.end_s - trace.start_s)[rows], 3)
    assert busy[1] > 0.9 * busy.sum()


def test_what_starts_late_is_told_apart() -> None:
    """A second of nothing before the last instruction, as a real device has it."""
    from dataclasses import replace

    trace = simulated({})
    last = trace.end_s == trace.end_s.max()
    late = replace(trace, start_s=trace.start_s + last, end_s=trace.end_s + last)
    assert critical_path(late).other_s == pytest.approx(1)


def test_workers_that_wait_for_each_other_are_no_error() -> None:
    trace = run(resolve({"pipeline": {"stages": 2, "minibatches": 12}, "workers": {"count": 2}}),
                training=False)
    path = critical_path(trace)
    assert path.compute_s + path.message_s + path.other_s == pytest.approx(trace.end_s.max())
