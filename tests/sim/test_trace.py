"""The trace file: saved and loaded unchanged, complete or not there, errors that say what."""

import dataclasses
import json

import numpy as np
import pytest
from hypothesis import given

from sim.errors import OutputError
from sim.files.writing import atomic_file
from sim.header import TraceHeader
from sim.order.program import Program
from sim.order.shape import PipelineShape
from sim.trace import COLUMNS, HOST_COLUMNS, PAIR_COLUMNS, Trace
from tests.sim.experiments import TIMES, TINY, schedule_program, simulate
from tests.sim.strategies import names, shapes

KEYS = {**TINY, "stages": 3, "minibatches": 8, "mitigation": "stash", "evaluate_every": 4,
        "latency_s": 0.3, "jitter": {"sigma": 0.2}}


@pytest.fixture(scope="module")
def trace():
    return simulate(**KEYS)


@pytest.fixture
def file(trace, tmp_path):
    trace.save(tmp_path / "trace.npz")
    return tmp_path / "trace.npz"


def equal(one: Trace, other: Trace) -> bool:
    return (one.header == other.header and set(one.curves) == set(other.curves)
            and all(np.array_equal(getattr(one, name), getattr(other, name), equal_nan=True)
                    for name in COLUMNS)
            and all(np.array_equal(one.curves[name], other.curves[name], equal_nan=True)
                    for name in one.curves))


def test_what_is_saved_is_loaded(trace, file):
    assert equal(Trace.load(file), trace)


def test_columns_have_their_documented_types(file):
    loaded = Trace.load(file)
    for name, (dtype, meaning) in COLUMNS.items():
        assert getattr(loaded, name).dtype == np.dtype(dtype)
        assert meaning


def test_a_field_exists_for_every_column_and_no_other():
    fields = {field.name for field in dataclasses.fields(Trace)}
    assert fields == {"header", "curves", *COLUMNS, *HOST_COLUMNS, *PAIR_COLUMNS}


def test_the_file_opens_without_this_project(file):
    with np.load(file, allow_pickle=False) as arrays:
        header = json.loads(str(arrays["header"]))
        assert header["format"] == "pipestale-trace"
        assert header["version"] == 1
        assert header["experiment"]["pipeline"]["stages"] == 3
        assert set(COLUMNS) <= set(arrays.files)


def test_the_header_has_the_resolved_configuration_seed_and_libraries(trace):
    header = trace.header
    assert header.seed == 0
    assert header.mitigation == "stash"
    assert header.experiment["training"]["momentum"] == 0.9
    assert header.pipeline["schedule"] == "round-robin"
    assert header.libraries["numpy"] == np.__version__
    assert {"python", "simpy"} <= set(header.libraries)
    assert header.shape == PipelineShape(3, 8)
    assert header.as_dict()["shape"] == {"stages": 3, "minibatches": 8, "microbatches": 1,
                                         "chunks": 1}


@pytest.mark.parametrize(("entry", "said"), [
    ("i-timeprest", "i-timeprest"),
    ({"name": "i-timeprest", "decay": 2.0}, "i-timeprest(decay=2.0)"),
    ({"name": "i-timeprest", "decay": 1.0}, "i-timeprest"),
    ({"name": "spectrain", "horizon": "update"}, "spectrain(horizon=update)"),
])
def test_the_header_names_the_parameters_that_differ(entry, said):
    assert simulate(stages=2, minibatches=2, mitigation=entry, **TIMES
                    ).header.mitigation == said


@given(names, shapes())
def test_a_program_from_its_trace_is_the_program(name, shape):
    trace = simulate(schedule=name, stages=shape.stages, minibatches=shape.minibatches,
                     microbatches=shape.microbatches, **TIMES)
    program = schedule_program(name, shape.stages, shape.minibatches, shape.microbatches)
    assert trace.program() == program


def test_a_lowered_program_from_its_trace_is_the_program():
    program = schedule_program("1f1b", 3, 2, 4).lower()
    trace = simulate(program, schedule="1f1b", stages=3, minibatches=2, microbatches=4, **TIMES)
    assert trace.program() == program


def test_a_program_from_a_loaded_trace_is_the_program(trace, file):
    assert Trace.load(file).program() == schedule_program("round-robin", 3, 8)


def test_stages_that_share_a_device_come_back_on_it():
    program = Program.parse("0F0,1F0,1B0,1U0,0B0,0U0\n", PipelineShape(2, 1, chunks=2))
    trace = simulate(program, stages=2, minibatches=1, **TIMES)
    assert trace.program() == program


def test_saving_twice_gives_the_same_bytes(trace, tmp_path):
    for name in ("a", "b"):
        trace.save(tmp_path / name)
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()


def test_equal_traces_give_equal_bytes_whatever_the_order_of_their_headers(trace, file):
    table = dict(reversed(trace.header.as_dict().items()))
    turned = dataclasses.replace(trace, header=TraceHeader.of(table))
    turned.save(file.parent / "turned.npz")
    assert (file.parent / "turned.npz").read_bytes() == file.read_bytes()


def test_a_failure_while_saving_leaves_nothing(trace, tmp_path, monkeypatch):
    def fails(handle, **arrays):
        handle.write(b"half")
        raise OSError("disk full")

    monkeypatch.setattr(np, "savez_compressed", fails)
    with pytest.raises(OSError, match="disk full"):
        trace.save(tmp_path / "new" / "trace.npz")
    assert list((tmp_path / "new").iterdir()) == []


def test_a_failure_while_saving_keeps_the_file_that_was_there(trace, file, monkeypatch):
    before = file.read_bytes()
    monkeypatch.setattr(np, "savez_compressed", lambda handle, **_: handle.write(b"x") / 0)
    with pytest.raises(ZeroDivisionError):
        trace.save(file)
    assert file.read_bytes() == before
    assert list(file.parent.iterdir()) == [file]


def test_a_file_appears_only_when_it_is_complete(tmp_path):
    with atomic_file(tmp_path / "f") as handle:
        handle.write(b"some")
        assert not (tmp_path / "f").exists()
    assert (tmp_path / "f").read_bytes() == b"some"


def test_a_pipeline_larger_than_the_columns_is_not_written_wrong(trace, tmp_path):
    for shape, name in ((PipelineShape(40_000, 8), "device"),
                        (PipelineShape(3, 2**31 + 1), "index")):
        large = dataclasses.replace(trace, header=dataclasses.replace(trace.header, shape=shape))
        with pytest.raises(OutputError, match=f"column {name} has room for"):
            large.save(tmp_path / "f")
    assert list(tmp_path.iterdir()) == []


def test_rows_are_device_by_device_in_execution_order(trace):
    assert np.all(np.diff(trace.device) >= 0)
    for device in range(3):
        assert np.all(np.diff(trace.start_s[trace.device == device]) >= 0)


def test_curves_are_there_only_where_something_was_learnt(trace):
    assert trace.curves["minibatch_loss"].shape == (8,)
    assert trace.curves["evaluated_minibatch"].tolist() == [4, 8]
    assert simulate(stages=2, minibatches=2, **TIMES).curves == {}


def test_the_first_workers_part_keeps_when_its_host_asked():
    whole = simulate(stages=2, minibatches=4, count=2, task="digits-mlp", width=4, batch_size=4)
    rows = np.arange(len(whole), dtype=float)
    own = dataclasses.replace(whole, asked_s=rows, issued_s=rows + 0.5).first_worker()
    assert own.asked_s.tolist() == rows[: len(own)].tolist()
    assert own.issued_s.tolist() == (rows[: len(own)] + 0.5).tolist()
    assert whole.first_worker().asked_s is None
