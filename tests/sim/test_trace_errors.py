"""Files that are no trace, damaged ones and other versions: refused, and said why."""

import json
import pickle

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sim.errors import TraceError
from sim.trace import Trace
from tests.sim.experiments import TINY, simulate


@pytest.fixture(scope="module")
def trace():
    return simulate(**TINY, stages=3, minibatches=8)


@pytest.fixture
def file(trace, tmp_path):
    trace.save(tmp_path / "trace.npz")
    return tmp_path / "trace.npz"


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
    path.write_bytes(pickle.dumps({"a": 1}))


def header(text: str) -> np.ndarray:
    return np.array(text)


NOT_TRACES = {
    "text": lambda path: path.write_text("hello"),
    "empty": lambda path: path.write_bytes(b""),
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
