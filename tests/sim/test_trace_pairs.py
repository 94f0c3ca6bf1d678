"""Pairs and several homes in a trace's file: kept, checked, and left out where there are none."""

import numpy as np
import pytest

from sim.errors import TraceError
from sim.experiment.program_file import reshaped
from sim.experiment.run import run
from sim.op import Op
from sim.order.program import Program
from sim.order.shape import PipelineShape
from sim.trace import Trace
from tests.sim.experiments import experiment, simulate

TEXT = "0F0,(0F1;0B0),(0F2;0B1),0B2\n"


@pytest.fixture
def paired() -> Trace:
    """F 1 s, B 2 s, a pair of both 2.5 s."""
    program = Program.parse(TEXT, PipelineShape(1, 1, 3))
    given = experiment(task="none", backward_s=2.0, overlapped_s=2.5)
    return run(reshaped(given, program), program)


def test_both_rows_of_a_pair_have_its_times_and_keep_a_device_busy_once(paired):
    assert paired.start_s.tolist() == [0, 1, 1, 3.5, 3.5, 6, 8]
    assert paired.end_s.tolist() == [1, 3.5, 3.5, 6, 6, 8, 8]
    assert paired.paired.tolist() == [0, 1, 1, 1, 1, 0, 0]
    assert paired.busy_s.tolist() == [1, 2.5, 0, 2.5, 0, 2, 0]


def test_a_file_keeps_pairs(paired, tmp_path):
    paired.save(tmp_path / "run.npz")
    found = Trace.load(tmp_path / "run.npz")
    assert found.program() == paired.program()
    assert str(found.program()).splitlines()[1] == TEXT.strip() + ",0U0-2"
    assert len(found.program().pairs) == 2


def test_a_run_without_pairs_has_no_such_column(tmp_path):
    simulate(task="none", stages=2).save(tmp_path / "run.npz")
    with np.load(tmp_path / "run.npz") as arrays:
        assert "paired" not in arrays.files
    assert Trace.load(tmp_path / "run.npz").paired is None


@pytest.mark.parametrize(("row", "value", "said"), [
    (0, 1, "two rows of each pair, got 5 rows in all"), (1, 2, "0 or 1, got 2 in row 1"),
    (2, 0, "two rows of each pair, got 3 rows in all")])
def test_pairs_that_are_none_are_refused(paired, tmp_path, row, value, said):
    paired.save(tmp_path / "run.npz")
    with np.load(tmp_path / "run.npz") as file:
        arrays = {name: file[name] for name in file.files}
    arrays["paired"][row] = value
    np.savez(tmp_path / "other.npz", **arrays)
    with pytest.raises(TraceError, match=f"column paired: {said}"):
        Trace.load(tmp_path / "other.npz")


def test_a_pair_that_ends_twice_is_refused(paired, tmp_path):
    paired.save(tmp_path / "run.npz")
    with np.load(tmp_path / "run.npz") as file:
        arrays = {name: file[name] for name in file.files}
    arrays["end_s"][2] = 3.0
    np.savez(tmp_path / "other.npz", **arrays)
    with pytest.raises(TraceError, match="column start_s: that of the pair's first row, or not"):
        Trace.load(tmp_path / "other.npz")


def test_versions_of_a_copy_are_checked_by_its_own_updates(tmp_path):
    """A version that only the other copy of the stage has made by then."""
    trace = simulate(schedule="hybrid", stages=2, replicas=[2, 1], minibatches=8, task="none")
    trace.save(tmp_path / "run.npz")
    with np.load(tmp_path / "run.npz") as file:
        arrays = {name: file[name] for name in file.files}
    row = int(np.flatnonzero((arrays["op"] == Op.F) & (arrays["device"] == 1))[-1])
    arrays["version_read"][row] += 2
    np.savez(tmp_path / "other.npz", **arrays)
    with pytest.raises(TraceError, match="column version_read: a version that the stage had made"):
        Trace.load(tmp_path / "other.npz")


@pytest.mark.parametrize("keys", [
    {"schedule": "chimera", "stages": 4, "microbatches": 4, "minibatches": 3},
    {"schedule": "dualpipe", "stages": 4, "microbatches": 8, "minibatches": 2},
    {"schedule": "dualpipev", "stages": 4, "chunks": 2, "microbatches": 4, "minibatches": 2},
    {"schedule": "hybrid", "stages": 3, "replicas": [2, 1, 1], "minibatches": 7}])
def test_runs_of_such_schedules_are_read_back(keys, tmp_path):
    trace = simulate(task="none", overlapped_s=1.5, **keys)
    trace.save(tmp_path / "run.npz")
    found = Trace.load(tmp_path / "run.npz")
    assert found.program() == trace.program()
    assert (found.busy_s == trace.busy_s).all()
