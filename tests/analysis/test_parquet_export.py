"""The Parquet file: what is in it makes the trace again, and says what its columns mean."""

import io
import json
import sys

import numpy as np
import pytest
from click.testing import CliRunner

from analysis.__main__ import main as analysis
from analysis.exports import export
from sim.op import Op
from sim.trace import COLUMNS, FORMAT, VERSION, Trace
from tests.sim.experiments import simulate

parquet = pytest.importorskip("pyarrow.parquet")


@pytest.fixture(scope="module")
def trace() -> Trace:
    return simulate(task="digits-mlp", width=6, batch_size=8, minibatches=8, schedule="nf1b",
                    microbatches=2, mitigation="i-timeprest", latency_s=0.3)


@pytest.fixture(scope="module")
def table(trace):
    return parquet.read_table(io.BytesIO(export(trace, "parquet")))


def test_the_trace_comes_back_whole(trace, table):
    header = json.loads(table.schema.metadata[b"pipestale"])
    assert (header.pop("format"), header.pop("version")) == (FORMAT, VERSION)
    assert header == json.loads(json.dumps(trace.header.as_dict()))
    again = {name: table[name].to_numpy() for name in COLUMNS if name != "op"}
    again["op"] = np.array([Op[name] for name in table["op"].to_pylist()])
    for name, column in again.items():
        assert np.array_equal(column, getattr(trace, name), equal_nan=name != "op"), name
    assert np.array_equal(table["minibatch"].to_numpy(), trace.minibatch)
    assert table.num_rows == len(trace)


def test_every_column_says_its_unit_and_meaning(table):
    about = {field.name: field.metadata for field in table.schema}
    assert set(about) == {*COLUMNS, "minibatch"}
    for name, (kind, meaning) in COLUMNS.items():
        assert about[name][b"meaning"].decode() == meaning
        assert name == "op" or str(table.schema.field(name).type) == (
            kind.replace("float64", "double"))
    assert {n for n, each in about.items() if each[b"unit"] == b"s"} == {
        "start_s", "end_s", "sent_s", "arrived_s"}
    assert {n for n, each in about.items() if each[b"unit"] == b"updates"} == {
        "version_read", "version_applied", "staleness", "effective_staleness"}


def test_without_pyarrow_one_line_says_what_to_install(trace, tmp_path, monkeypatch):
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    trace.save(tmp_path / "t.npz")
    done = CliRunner().invoke(analysis, ["export", str(tmp_path / "t.npz"), "--format", "parquet",
                                         "--out", str(tmp_path / "t.parquet")])
    assert done.exit_code == 2
    assert done.output.strip() == ("error: pyarrow is not installed; "
                                   "pip install 'pipestale[parquet]'")
    assert not (tmp_path / "t.parquet").exists()


def test_the_door_writes_it(trace, tmp_path):
    trace.save(tmp_path / "t.npz")
    done = CliRunner().invoke(analysis, ["export", str(tmp_path / "t.npz"), "--format", "parquet",
                                         "--out", str(tmp_path / "t.parquet")])
    assert done.exit_code == 0
    assert parquet.read_table(tmp_path / "t.parquet").num_rows == len(trace)
