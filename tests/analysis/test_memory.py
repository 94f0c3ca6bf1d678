"""Versions and bytes held over time."""

import numpy as np
import pytest

from analysis.metrics.memory import memory, steps
from analysis.metrics.staleness import plan_of
from sim.experiment.configuration import resolve
from sim.experiment.run import run
from sim.mitigations import MITIGATIONS


def held(mitigation: str, schedule: str = "round-robin", n: int = 1, **pipeline: object):
    document = {"pipeline": {"schedule": schedule, "microbatches": n, "mitigation": mitigation,
                             **pipeline},
                "costs": {"update_s": 0.25}, "training": {"batch_size": 24}}
    trace = run(resolve(document), training=False)
    return trace, memory(trace, plan_of(trace))


def test_changes_of_one_moment_count_together() -> None:
    found = steps(np.array([2.0, 0.0, 2.0, 1.0]), np.array([1.0, 1.0, -1.0, 3.0]))
    assert found.time_s.tolist() == [0, 1, 2]
    assert found.value.tolist() == [1, 4, 4]


@pytest.mark.parametrize("mitigation", MITIGATIONS.names())
def test_peak_over_time_is_the_plans_versions_held(mitigation: str) -> None:
    order = ("round-robin", 4) if mitigation == "2bw" else ("nf1b", 3)
    trace, stages = held(mitigation, *order, stages=4)
    assert [int(s.versions.peak) for s in stages] == trace.header.versions_held
    assert all(s.versions.value.min() >= 1 for s in stages)


def test_stash_bytes_follow_the_papers_versions() -> None:
    _, stages = held("stash", stages=5)
    for k, stage in enumerate(stages):
        assert stage.stash_bytes.peak == (5 - k - 1) * stage.weight_bytes
        assert stage.stash_bytes.value[-1] == 0


def test_activations_in_flight_are_s_minus_k() -> None:
    trace, stages = held("none", stages=4)
    kept = trace.header.sizes.activation_bytes
    for k, stage in enumerate(stages):
        assert stage.activation_bytes.peak == (4 - k) * kept[k]
        assert stage.activation_bytes.value[-1] == 0
        assert stage.total_bytes.peak <= stage.activation_bytes.peak + 4 * stage.weight_bytes


def test_sizes_are_those_of_the_numpy_arrays() -> None:
    trace, _ = held("none", stages=3)
    layers = [(64, 64), (64, 64), (64, 10)]
    assert trace.header.sizes.weight_bytes == [8 * (i + 1) * o for i, o in layers]
    assert trace.header.sizes.boundary_bytes == [8 * 24 * 64] * 2
