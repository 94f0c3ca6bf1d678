"""The trace file: saved and loaded unchanged, complete or not there, errors that say what."""

import dataclasses
import json

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sim.program import PipelineShape, Program
from sim.trace import COLUMNS, Trace, TraceError, atomic_file
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
    assert fields == {"header", "curves", *COLUMNS}


def test_the_file_opens_without_this_project(file):
    with np.load(file, allow_pickle=False) as arrays:
        header = json.loads(str(arrays["header"]))
        assert header["format"] == "pipestale-trace"
        assert header["version"] == 1
        assert header["experiment"]["pipeline"]["stages"] == 3
        assert set(COLUMNS) <= set(arrays.files)


def test_the_header_has_the_resolved_configuration_seed_and_libraries(trace):
    header = trace.header
    assert header["seed"] == 0
    assert header["mitigation"] == "stash"
    assert header["experiment"]["training"]["momentum"] == 0.9
    assert header["experiment"]["pipeline"]["schedule"] == "round-robin"
    assert header["libraries"]["numpy"] == np.__version__
    assert {"python", "simpy"} <= set(header["libraries"])
    assert header["shape"] == {"stages": 3, "minibatches": 8, "microbatches": 1, "chunks": 1}


@pytest.mark.parametrize(("entry", "said"), [
    ("i-timeprest", "i-timeprest"),
    ({"name": "i-timeprest", "decay": 2.0}, "i-timeprest(decay=2.0)"),
    ({"name": "i-timeprest", "decay": 1.0}, "i-timeprest"),
    ({"name": "spectrain", "horizon": "update"}, "spectrain(horizon=update)"),
])
def test_the_header_names_the_parameters_that_differ(entry, said):
    assert simulate(stages=2, minibatches=2, mitigation=entry, **TIMES).header[
        "mitigation"] == said


@given(names, shapes())
def test_a_program_from_its_trace_is_the_program(name, shape):
    trace = simulate(schedule=name, stages=shape.stages, minibatches=shape.minibatches,
                     microbatches=shape.microbatches, **TIMES)
    program = schedule_program(name, shape.stages, shape.minibatches, shape.microbatches)
    assert Program.from_trace(trace) == program


def test_a_lowered_program_from_its_trace_is_the_program():
    program = schedule_program("1f1b", 3, 2, 4).lower()
    trace = simulate(program, schedule="1f1b", stages=3, minibatches=2, microbatches=4, **TIMES)
    assert Program.from_trace(trace) == program


def test_a_program_from_a_loaded_trace_is_the_program(trace, file):
    assert Program.from_trace(Trace.load(file)) == schedule_program("round-robin", 3, 8)


def test_stages_that_share_a_device_come_back_on_it():
    program = Program.parse("0F0,1F0,1B0,1U0,0B0,0U0\n", PipelineShape(2, 1, chunks=2))
    trace = simulate(program, stages=2, minibatches=1, **TIMES)
    assert Program.from_trace(trace) == program


def test_saving_twice_gives_the_same_bytes(trace, tmp_path):
    for name in ("a", "b"):
        trace.save(tmp_path / name)
    assert (tmp_path / "a").read_bytes() == (tmp_path / "b").read_bytes()


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


def refusal(path) -> str:
    with pytest.raises(TraceError) as caught:
        Trace.load(path)
    assert str(path) in str(caught.value)
    return str(caught.value)


def test_a_missing_file_is_said_to_be_missing(tmp_path):
    assert "there is no such file" in refusal(tmp_path / "none.npz")


def array_file(path, **arrays):
    with open(path, "wb") as handle:
        np.savez(handle, **arrays)


def write_npy(path):
    with open(path, "wb") as handle:
        np.save(handle, np.arange(3))


def write_pickle(path):
    import pickle

    path.write_bytes(pickle.dumps({"a": 1}))


def header(text: str) -> np.ndarray:
    return np.array(text)


NOT_TRACES = {
    "text": lambda path: path.write_text("hello"),
    "empty": lambda path: path.write_bytes(b""),
    "directory": lambda path: path.mkdir(),
    "array": write_npy,
    "pickle": write_pickle,
    "no header": lambda path: array_file(path, a=np.arange(3)),
    "header of numbers": lambda path: array_file(path, header=np.arange(3)),
    "header not JSON": lambda path: array_file(path, header=header("{")),
    "header a list": lambda path: array_file(path, header=header("[1]")),
    "header a number": lambda path: array_file(path, header=header("1")),
    "header without format": lambda path: array_file(path, header=header("{}")),
    "objects": lambda path: array_file(path, header=np.array([{}], dtype=object)),
}


@pytest.mark.parametrize("kind", NOT_TRACES)
def test_a_file_that_is_no_trace_is_refused(kind, tmp_path):
    NOT_TRACES[kind](tmp_path / "file.npz")
    assert "not a pipestale-trace file" in refusal(tmp_path / "file.npz")


@pytest.mark.parametrize("share", [0.02, 0.3, 0.7, 0.99])
def test_a_truncated_file_is_refused(file, share):
    whole = file.read_bytes()
    file.write_bytes(whole[: int(share * len(whole))])
    assert "not a pipestale-trace file" in refusal(file)


@pytest.fixture(scope="module")
def content(trace, tmp_path_factory):
    path = tmp_path_factory.mktemp("whole") / "trace.npz"
    trace.save(path)
    return path.read_bytes()


@settings(max_examples=150)
@given(st.data())
def test_a_damaged_file_is_refused_or_loaded_but_nothing_else(tmp_path_factory, content, data):
    path = tmp_path_factory.getbasetemp() / "damaged.npz"
    place = data.draw(st.integers(0, len(content) - 1))
    flipped = content[place] ^ data.draw(st.integers(1, 255))
    path.write_bytes(content[:place] + bytes([flipped]) + content[place + 1 :])
    try:
        loaded = Trace.load(path)
    except TraceError:
        return
    assert len(loaded) == 72


def rewritten(file, change) -> None:
    with np.load(file) as arrays:
        content = {name: arrays[name] for name in arrays.files}
    change(content)
    array_file(file, **content)


@pytest.mark.parametrize(("name", "version"), [("pipestale-trace", 2), ("other-trace", 1)])
def test_another_format_or_version_is_named_beside_the_one_that_is_read(file, name, version):
    def change(content):
        known = json.loads(str(content["header"]))
        content["header"] = header(json.dumps({**known, "format": name, "version": version}))

    rewritten(file, change)
    said = refusal(file)
    assert f"{name} version {version}" in said
    assert "this tool reads pipestale-trace version 1" in said


def test_missing_columns_are_named(file):
    def change(content):
        del content["start_s"], content["device"]

    rewritten(file, change)
    assert "columns are missing: device, start_s" in refusal(file)


def test_columns_of_different_lengths_are_refused(file):
    def change(content):
        content["start_s"] = content["start_s"][:-1]

    rewritten(file, change)
    assert "start_s" in refusal(file)


def test_a_header_without_the_pipelines_shape_is_refused(file):
    def change(content):
        known = json.loads(str(content["header"]))
        del known["shape"]
        content["header"] = header(json.dumps(known))

    rewritten(file, change)
    assert "shape" in refusal(file)


def test_rows_are_device_by_device_in_execution_order(trace):
    assert np.all(np.diff(trace.device) >= 0)
    for device in range(3):
        assert np.all(np.diff(trace.start_s[trace.device == device]) >= 0)


def test_curves_are_there_only_where_something_was_learnt(trace):
    assert trace.curves["minibatch_loss"].shape == (8,)
    assert trace.curves["evaluated_minibatch"].tolist() == [4, 8]
    assert simulate(stages=2, minibatches=2, **TIMES).curves == {}
