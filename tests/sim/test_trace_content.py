"""What a trace's file may hold: everything a run gives, and nothing that no run can give."""

from __future__ import annotations

import io
import json
import os
import zipfile

import numpy as np
import pytest

import sim
from sim.errors import MistakeError, TraceError
from sim.op import Op
from sim.trace import COLUMNS, Trace
from tests.sim.experiments import TINY, simulate

KEYS = {**TINY, "stages": 3, "minibatches": 8, "mitigation": "i-timeprest", "evaluate_every": 4,
        "latency_s": 0.3, "jitter": {"sigma": 0.2}, "schedule": "nf1b", "microbatches": 2}
Arrays = dict[str, np.ndarray]


@pytest.fixture(scope="module")
def arrays(tmp_path_factory) -> Arrays:
    path = tmp_path_factory.mktemp("whole") / "trace.npz"
    simulate(**KEYS).save(path)
    with np.load(path) as file:
        return {name: file[name] for name in file.files}


def refused(tmp_path, arrays: Arrays) -> str:
    path = tmp_path / "trace.npz"
    np.savez(path, **arrays)
    with pytest.raises(TraceError) as caught:
        Trace.load(path)
    said = str(caught.value)
    assert said.startswith(f"{path}: ")
    assert "\n" not in said
    return said.removeprefix(f"{path}: ")


def changed(arrays: Arrays, name: str, change) -> Arrays:
    column = arrays[name].copy()
    new = change(column)
    return {**arrays, name: column if new is None else new}


def at(row: int, value: float):
    return lambda column: column.__setitem__(row, value)


def test_what_a_run_gives_is_read(tmp_path):
    """Every schedule under every mitigation, and every rule between workers."""
    path, read = tmp_path / "trace.npz", 0
    every = [{"schedule": schedule, "mitigation": mitigation, "microbatches": n}
             for schedule in sim.schedules.names()
             for mitigation in sim.mitigations.names() for n in (1, 4)]
    every += [{"schedule": "nf1b", "microbatches": 4, "count": 2, "combine": combine,
               "task": "digits-mlp", "width": 4, "batch_size": 8, "dispatch": "greedy",
               "minibatches": 8} for combine in ("all-reduce", "wave", "block-momentum")]
    for keys in every:
        try:
            trace = sim.run(**{"stages": 3, "minibatches": 9, "task": "none", **keys})
        except MistakeError:
            continue
        trace.save(path)
        assert len(Trace.load(path)) == len(trace)
        read += 1
    assert read > 30


@pytest.mark.parametrize("name", COLUMNS)
@pytest.mark.parametrize(("change", "said"), [
    (lambda column: np.nan_to_num(column).astype("f4"), "got float32"),
    (lambda column: np.nan_to_num(column).astype(">i8"), "got"),
    (lambda column: column.astype(object), "got object"),
    (lambda column: column[:-1], "rows"),
    (lambda column: column[:, None], "shape"),
], ids=["type", "byte order", "objects", "length", "dimensions"])
def test_a_column_of_another_type_or_length_is_named(tmp_path, arrays, name, change, said):
    found = refused(tmp_path, changed(arrays, name, change))
    assert found.startswith("column ")
    assert said in found
    assert name in found or name == "op"  # op says how many rows there are


LAST = -1
WRONG = {
    "device": [at(0, -1), at(LAST, 3), lambda c: c[::-1].copy()],
    "op": [at(0, 9), at(0, -1), at(0, Op.W)],
    "stage": [at(0, -1), at(LAST, 3), at(0, 2)],
    "index": [at(0, -1), at(0, 16), at(0, 1)],
    "count": [at(0, 0), at(0, -2), at(0, 2), at(0, 3)],
    "start_s": [at(0, -1.0), at(0, np.nan), at(LAST, np.inf), lambda c: c + 1000,
                lambda c: c[::-1].copy()],
    "end_s": [at(0, -1.0), at(3, np.nan), lambda c: c * 0, lambda c: -c,
              at(LAST, 1e308)],
    "sent_s": [at(0, 1.0), lambda c: c * np.nan, lambda c: c + 1000, lambda c: c * np.inf],
    "arrived_s": [at(0, 1.0), lambda c: c * np.nan, lambda c: c * 0],
    "version_read": [at(0, -1), at(0, 1), lambda c: c + 1000, lambda c: c - 1, lambda c: c + 1],
    "version_applied": [at(0, -1), lambda c: c + 1, lambda c: c * 0, at(0, 100), at(-2, 1000)],
    "staleness": [at(0, -1.0), at(0, np.nan), lambda c: c + 0.5, lambda c: c * 2, at(0, np.inf)],
    "effective_staleness": [at(0, -1.0), at(0, np.nan), lambda c: c + 10],
    "weight_distance": [at(0, -1.0)], "weight_rmse": [at(0, -1e-300)],
}


@pytest.mark.parametrize(("name", "which"), [(name, which) for name, changes in WRONG.items()
                                             for which in range(len(changes))])
def test_what_no_run_can_give_is_refused(tmp_path, arrays, name, which):
    said = refused(tmp_path, changed(arrays, name, WRONG[name][which]))
    program = {"device", "op", "stage", "index", "count"}
    assert said.startswith("column ") or (name in program and "no complete program" in said)
    if name not in program | {"version_applied", "start_s", "version_read", "sent_s"}:
        assert said.startswith(f"column {name}: ")


def test_start_and_end_swapped_are_refused(tmp_path, arrays):
    said = refused(tmp_path, {**arrays, "start_s": arrays["end_s"], "end_s": arrays["start_s"]})
    assert said.startswith("column end_s: not before the start, got 0.0 in row 0")


@pytest.mark.parametrize(("name", "values", "said"), [
    ("minibatch_loss", np.zeros(7), "8 numbers, got 7"),
    ("minibatch_loss", np.zeros((8, 1)), "at most 8 numbers"),
    ("minibatch_loss", np.zeros(8, np.float32), "at most 8 numbers"),
    ("other", np.zeros(9), "at most 8 numbers"),
    ("other", np.array(["a"]), "at most 8 numbers"),
    ("accuracy", np.array([0.5, 1.5]), "shares from 0 to 1"),
    ("accuracy", np.array([0.5]), "as many numbers as evaluated_minibatch"),
    ("evaluated_minibatch", np.array([4, 9]), "mini-batches from 1 to 8"),
    ("evaluated_minibatch", np.array([8, 4]), "in their order")])
def test_a_curve_that_no_training_gives_is_refused(tmp_path, arrays, name, values, said):
    found = refused(tmp_path, {**arrays, f"curve/{name}": values})
    assert name in found
    assert said in found


@pytest.mark.parametrize(("path", "value", "said"), [
    ("sizes.weight_bytes", [1.0], "sizes.weight_bytes: 3 entries, got 1"),
    ("sizes.boundary_bytes", [1.0, float("nan")], "numbers from 0 to 1e+18, got nan"),
    ("sizes.activation_bytes", [1, 2, -1], "numbers from 0 to 1e+18, got -1"),
    ("sizes.activation_bytes", [1, 2, 10**400], "activation_bytes.2: a number, got one beyond any"),
    ("sizes.recomputed_bytes", [1], "sizes.recomputed_bytes: 3 entries, got 1"),
    ("sizes.activation_bytes", [1, 1e308, 1], "numbers from 0 to 1e+18, got 1e+308"),
    ("training.mean_update_rmse", [1, 1, 10**400], "rmse.2: a number, got one beyond any"),
    ("training.mean_update_rmse", [1.0], "training.mean_update_rmse: 3 entries, got 1"),
    ("versions_held", [], "versions_held: 3 entries, got 0"),
    ("versions_held", [1, 1, 0], "versions_held: numbers from 1 to 1e+18, got 0"),
    ("shape.stages", 3.0, "shape.stages: a whole number, got 3.0"),
    ("shape.minibatches", 10**9, "no complete program"),
    ("shape.microbatches", 10**9, "no complete program"),
    ("shape.stages", 10**9, "chunks divides stages"),
    ("shape.stages", 2, "versions_held: 2 entries, got 3"),
    ("shape.workers", 2, "workers: there where there are several"),
    ("training.accuracy", 2, "training.accuracy: a share"),
    ("training.diverged_at", 9, "training.diverged_at: a mini-batch from 1 to 8"),
    ("training.examples", 0, "training.examples: at least 1"),
    ("experiment.training.batch_size", 0, "experiment.training.batch_size: a whole number"),
    ("experiment.training", 0, "experiment.training: a table, got 0"),
    ("experiment.cluster", 7, "experiment.cluster: a table, got 7"),
    ("experiment.pipeline.schedule", 3, "experiment.pipeline.schedule: text, got 3"),
    ("experiment.pipeline.mitigation", [], "experiment.pipeline.mitigation: a name, got []")])
def test_a_header_whose_values_do_not_fit_is_refused(tmp_path, arrays, path, value, said):
    table = json.loads(str(arrays["header"]))
    *above, last = path.split(".")
    here = table
    for each in above:
        here = here[each]
    here[last] = value
    if path == "shape.stages" and value == 10**9:
        table["shape"]["chunks"] = 7
    assert said in refused(tmp_path, {**arrays, "header": np.array(json.dumps(table))})


def zipped(path, arrays: Arrays, **raw: bytes) -> None:
    """An archive of these arrays, with these members in place of some or beside them."""
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as file:
        for name, values in arrays.items():
            if name not in raw:
                content = io.BytesIO()
                np.save(content, values)
                file.writestr(f"{name}.npy", content.getvalue())
        for name, content in raw.items():
            file.writestr(f"{name}.npy", content)


def member(dtype: str, shape: tuple[int, ...], data: bytes) -> bytes:
    """A member of an archive whose header says something and that holds something."""
    content = io.BytesIO()
    np.lib.format.write_array_header_1_0(
        content, {"descr": dtype, "fortran_order": False, "shape": shape})
    return content.getvalue() + data


def test_arrays_that_nobody_asks_for_stay_unread(tmp_path, arrays):
    path = tmp_path / "trace.npz"
    zipped(path, {**arrays, "objects": np.array([{}], dtype=object)}, huge=member(
        "<f8", (10**12,), b""), junk=b"no array", curve=b"")
    assert len(Trace.load(path)) == len(arrays["op"])


@pytest.mark.parametrize(("name", "content", "said"), [
    ("op", member("|i1", (10**13,), b""), "rows take"),
    ("op", member("|i1", (10**6,), b"\0" * 10**6), "1000000 rows as op has"),
    ("end_s", member("<f8", (10**13,), b""), "rows as op has"),
    ("end_s", "short", "not as long as it says"), ("end_s", "long", "not as long as it says"),
    ("end_s", b"no array", "not a pipestale-trace file"),
    ("header", member("<U1000000000000", (), b""), "not a pipestale-trace file")])
def test_no_memory_is_taken_for_what_an_array_says_of_itself(tmp_path, arrays, name, content,
                                                               said):
    rows, path = len(arrays["op"]), tmp_path / "trace.npz"
    if isinstance(content, str):
        size = 8 * rows + (-1 if content == "short" else 1)
        content = member("<f8", (rows,), b"\0" * size)
    zipped(path, arrays, **{name: content})
    with pytest.raises(TraceError, match=said):
        Trace.load(path)


def test_a_file_that_is_none_is_refused_before_it_is_opened(tmp_path):
    os.mkfifo(tmp_path / "pipe")
    for path, said in ((tmp_path / "pipe", "is a pipe"), (tmp_path, "is a folder"),
                       ("/dev/zero", "is a device"), ("a\0b", "embedded null")):
        with pytest.raises(TraceError, match=said):
            Trace.load(path)
