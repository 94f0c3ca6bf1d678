"""The header of a trace: typed, checked where it is read, and unharmed by tools of another day."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from sim.errors import TraceError
from sim.header import BetweenWorkers, Learnt, Measured, StageBytes, TraceHeader
from sim.order.shape import PipelineShape
from sim.trace import Trace
from tests.sim.experiments import TINY, simulate

OLD = Path(__file__).parents[1] / "golden"  # files written before headers were typed


def table_of(path: Path) -> dict:
    with np.load(path) as arrays:
        return json.loads(str(arrays["header"]))


@pytest.fixture
def table() -> dict:
    """The header of an old file, as JSON without the file's format and version."""
    found = table_of(OLD / "simulated.npz")
    return {name: value for name, value in found.items() if name not in ("format", "version")}


@pytest.mark.parametrize("name", ["simulated", "measured"])
def test_an_old_file_loads_and_is_written_as_it_was(name, tmp_path):
    trace = Trace.load(OLD / f"{name}.npz")
    trace.save(tmp_path / "again.npz")
    with np.load(OLD / f"{name}.npz") as old, np.load(tmp_path / "again.npz") as new:
        assert str(old["header"]) == str(new["header"])
        assert old.files == new.files
        assert all(np.array_equal(old[each], new[each], equal_nan=each != "header")
                   for each in old.files if each != "header")


def test_an_old_simulated_file_says_what_it_said():
    header = Trace.load(OLD / "simulated.npz").header
    assert header.shape == PipelineShape(2, 8, workers=2)
    assert (header.mitigation, header.seed, header.versions_held) == ("stash", 0, [2, 1])
    assert header.pipeline["schedule"] == "round-robin"
    assert header.sizes == StageBytes([2240.0, 400.0], [4608.0, 896.0], [256.0])
    assert header.workers == BetweenWorkers("wave", 1.0, 2, 2640.0)
    assert header.training is not None
    assert header.training.examples == 1437
    assert header.training.diverged_at is None
    assert header.gpu is None
    with pytest.raises(TraceError, match="simulated"):
        header.measured()


def test_an_old_measured_file_says_what_it_said():
    header = Trace.load(OLD / "measured.npz").header
    assert header.workers is None
    gpu = header.measured()
    assert gpu is header.gpu
    assert gpu.devices == ["cpu#0", "cpu#1"]
    assert gpu.settings["model"] == "narrow"
    assert len(gpu.weights_sha256) == 2


def test_the_same_run_today_has_the_header_of_the_old_file(table):
    today = simulate(**TINY | {"width": 4}, stages=2, minibatches=8, count=2, combine="wave",
                     mitigation="stash", evaluate_every=4).header.as_dict()
    learnt, before = today.pop("training"), table.pop("training")
    assert learnt.keys() == before.keys()
    assert learnt["final_loss"] == pytest.approx(before["final_loss"], rel=1e-9)
    for name in ("experiment", "libraries"):  # keys and libraries come and go
        assert today.pop(name).keys() >= table.pop(name).keys()
    assert today == table


def test_what_is_written_is_what_is_read(table):
    assert TraceHeader.of(table).as_dict() == table


@pytest.mark.parametrize("name", ["experiment", "mitigation", "shape", "seed", "versions_held",
                                  "sizes", "sizes.weight_bytes", "training.final_loss",
                                  "workers.combine", "experiment.pipeline.schedule"])
def test_a_key_that_is_missing_is_named(table, name):
    *above, last = name.split(".")
    here = table
    for each in above:
        here = here[each]
    del here[last]
    with pytest.raises(TraceError, match=f"the header lacks {name}$"):
        TraceHeader.of(table)


@pytest.mark.parametrize(("change", "said"), [
    ({"mitigation": 3}, "mitigation: text, got 3"),
    ({"seed": 1.5}, "seed: a whole number, got 1.5"), ({"seed": True}, "seed: a whole number"),
    ({"versions_held": [1, "2"]}, "versions_held.1: a whole number, got '2'"),
    ({"sizes": None}, "sizes: a table, got None"), ({"gpu": {}}, "lacks gpu.settings"),
    ({"libraries": {"numpy": 2}}, "libraries.numpy: text"),
    ({"shape": {"stages": 2}}, "shape: "),
    ({"shape": {"stages": 0, "minibatches": 2}}, "stages is at least 1"),
    ({"experiment": {"pipeline": []}}, "experiment.pipeline: a table"),
])
def test_a_value_of_another_kind_is_named(table, change, said):
    with pytest.raises(TraceError, match="header") as caught:
        TraceHeader.of(table | change)
    assert said in str(caught.value)


def test_a_file_is_refused_with_its_path(tmp_path, table):
    with np.load(OLD / "simulated.npz") as old:
        arrays = {name: old[name] for name in old.files}
    arrays["header"] = np.array(json.dumps(
        {**table, "format": "pipestale-trace", "version": 1, "seed": "three"}))
    np.savez(tmp_path / "odd.npz", **arrays)
    with pytest.raises(TraceError) as caught:
        Trace.load(tmp_path / "odd.npz")
    assert str(caught.value) == (f"{tmp_path / 'odd.npz'}: the header's seed: a whole number, got "
                                 "'three'")


def test_keys_of_another_tool_are_kept(table):
    strange = {**table, "colour": "red", "sizes": {**table["sizes"], "cache_bytes": [1, 2]}}
    header = TraceHeader.of(strange)
    assert header.extra == {"colour": "red"}
    assert header.sizes.extra == {"cache_bytes": [1, 2]}
    assert header.as_dict() == strange


def test_what_a_tool_did_not_know_yet_is_left_open(table):
    del table["training"]["examples"], table["workers"], table["libraries"]
    with pytest.raises(TraceError, match="libraries"):
        TraceHeader.of(table)
    header = TraceHeader.of({**table, "libraries": {}})
    assert header.workers is None
    assert header.training is not None
    assert header.training.examples is None


def test_numbers_that_are_not_finite_are_numbers(table):
    table["training"]["final_loss"] = float("nan")
    found = TraceHeader.of(json.loads(json.dumps(table))).training
    assert found is not None
    assert np.isnan(found.final_loss)


def test_the_parts_are_values():
    header = simulate(stages=2, minibatches=2, task="none").header
    assert header == simulate(stages=2, minibatches=2, task="none").header
    for part in (header, header.sizes, Learnt(None, None, None, None, []),
                 Measured({}, [], 1, [], 0.0, [], [], [])):
        with pytest.raises(AttributeError):
            part.extra = {}
