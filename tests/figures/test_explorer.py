"""The explorer's page without a browser: columns decode to the trace, text stays text."""

import base64
import json
import re
import zlib
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner
from hypothesis import given
from hypothesis import strategies as st

from analysis.metrics.memory import memory
from analysis.metrics.staleness import plan_of
from figures.__main__ import Bare, draw, explore
from figures.explorer.about import facts
from figures.explorer.columns import encode
from figures.explorer.held import held
from figures.explorer.page import SCRIPTS, WEB, page
from sim.header import Measured
from sim.trace import COLUMNS, Trace
from tests.figures.traces import simulated


def decoded(packed: dict) -> dict[str, np.ndarray]:
    """The columns of `encode`, by the format's own description."""
    raw = np.frombuffer(zlib.decompress(base64.b64decode(packed["deflated"])), dtype=np.uint8)
    columns, offset, rows = {}, 0, packed["rows"]
    for name, kind in packed["columns"]:
        if isinstance(kind, list):
            columns[name] = np.full(rows, np.nan if kind[0] is None else kind[0])
        elif kind in columns:
            columns[name] = columns[kind]
        else:
            size = rows * np.dtype(kind).itemsize
            planes = raw[offset:offset + size].reshape(-1, rows)
            whole = np.ascontiguousarray(planes.T)
            columns[name] = whole.view(np.dtype(kind).newbyteorder("<")).ravel()
            offset += size
    assert offset == len(raw)
    return columns


def inside(text: str) -> list[dict]:
    """The data of a page."""
    (found,) = re.findall(r'<script type="application/json" id="data">(.*?)</script>', text, re.S)
    return json.loads(found)["traces"]


@pytest.mark.parametrize(("pipeline", "more"), [
    ({}, {}), ({"schedule": "nf1b", "microbatches": 4, "mitigation": "timeprest"}, {}),
    ({"stages": 5, "dispatch": "greedy"}, {"costs": {"jitter": {"sigma": 0.4}},
                                          "cluster": {"latency_s": 0.3}})])
def test_columns_decode_to_the_trace_bit_for_bit(pipeline, more) -> None:
    trace = simulated({"minibatches": 12, **pipeline}, training=True, **more)
    columns = decoded(encode(trace))
    assert list(columns) == [*COLUMNS]
    for name in COLUMNS:
        assert np.array_equal(columns[name], getattr(trace, name), equal_nan=True), name


@given(st.lists(st.integers(-2**31, 2**31 - 1), min_size=1, max_size=30),
       st.lists(st.floats(width=64), min_size=30, max_size=30))
def test_any_numbers_survive(whole: list[int], real: list[float]) -> None:
    size, short = len(whole), simulated({"minibatches": 5, "schedule": "sequential"})
    cut = {name: np.resize(getattr(short, name), size) for name in COLUMNS}
    odd = replace(short, **cut | {"version_read": np.array(whole),
                                  "weight_distance": np.array(real[:size])})
    columns = decoded(encode(odd))
    assert columns["version_read"].tolist() == whole
    sent, back = np.array(real[:size]), columns["weight_distance"].astype(float)
    assert np.array_equal(back, sent, equal_nan=True)
    assert (np.signbit(back) == np.signbit(sent))[~np.isnan(sent)].all()


def test_columns_that_say_nothing_new_take_no_bytes() -> None:
    trace = simulated({"minibatches": 200}, training=False)
    kinds = dict(encode(trace)["columns"])
    assert kinds["weight_distance"] == [None]
    assert kinds["count"] == [1]
    assert kinds["effective_staleness"] == "staleness"
    assert kinds["staleness"] == "int8"


NASTY = '</script><script>alert(1)</script>"\'&<b>\u2028{{script}} \\u003c.npz'


def test_names_stay_text(tmp_path) -> None:
    text = page([simulated({"minibatches": 6})], [NASTY])
    assert "<script>alert" not in text
    assert "<b>" not in text.partition("<body>")[0]
    assert text.count("<script") == text.count("</script>") == 2
    (data,) = inside(text)
    assert data["name"] == NASTY


def test_the_page_holds_everything_and_fetches_nothing() -> None:
    text = page([simulated({"minibatches": 6})], ["run.npz"])
    assert "default-src 'none'" in text
    loads = r"\b(?:src|href)\s*=|@import|url\(|https?://"
    document, _, script = text.partition("<script>")
    assert not re.search(loads, document)
    written = re.findall(r"\b(?:src|href)=\S*|@import|https?://[^\"]+", script)
    assert set(written) == {"http://www.w3.org/2000/svg", 'href="${canvas.toDataURL()}"/>`];'}, (
        "what a saved SVG says")
    assert not re.search(r"\b(?:fetch|XMLHttpRequest|importScripts|WebSocket|new Image)\b", script)
    assert sorted(f"{name}.js" for name in SCRIPTS) == sorted(
        path.relative_to(str(WEB)).as_posix() for path in Path(str(WEB)).rglob("*.js"))


def test_no_script_takes_another_ones_name() -> None:
    """All scripts share one scope, in which a second function of a name replaces the first."""
    names = [name for script in SCRIPTS for name in re.findall(
        r"^(?:async )?(?:function|const|let) (\w+)", (WEB / f"{script}.js").read_text(), re.M)]
    assert sorted(names) == sorted(set(names))
    assert len(names) > 100


def test_several_traces_keep_their_order_and_say_what_they_are() -> None:
    traces = [simulated({"minibatches": 8, "mitigation": m}) for m in ("none", "stash")]
    first, second = inside(page(traces, ["a", "b"]))
    assert (first["name"], second["name"]) == ("a", "b")
    assert second["facts"] == facts(traces[1]) == (
        "simulated, round-robin, mitigation stash, 3 stages × 8 mini-batches")
    gpu = Measured({}, ["cpu"], 1, [], 0.0, [None], [0.0], [None])
    measured = replace(traces[0], header=replace(traces[0].header, gpu=gpu))
    assert facts(measured).startswith("measured")


def test_equal_traces_give_equal_pages() -> None:
    assert page([simulated({"minibatches": 6})], ["a"]) == page(
        [simulated({"minibatches": 6})], ["a"])


def call(*arguments: object):
    door = Bare(commands={"draw": draw, "explore": explore})
    return CliRunner().invoke(door, [str(a) for a in arguments])


def test_the_door_writes_one_file(tmp_path) -> None:
    source, out = tmp_path / "run.npz", tmp_path / "folder" / "run.html"
    simulated({"minibatches": 6}).save(source)
    result = call("explore", source, "--out", out)
    assert result.exit_code == 0, result.output
    assert f"{out} written" in result.output
    assert [each["name"] for each in inside(out.read_text())] == ["run.npz"]
    assert "TRACE" in call("explore", "--help").output
    assert "explore" in call("--help").output


def test_two_files_of_one_name_are_told_apart(tmp_path) -> None:
    paths = [tmp_path / folder / "run.npz" for folder in "ab"]
    for path in paths:
        simulated({"minibatches": 6}).save(path)
    assert call("explore", *paths, "--out", tmp_path / "x.html").exit_code == 0
    assert [each["name"] for each in inside((tmp_path / "x.html").read_text())] == [
        str(path) for path in paths]


def broken(trace: Trace, how: str) -> Trace:
    size = len(trace)
    columns = {name: getattr(trace, name) for name in COLUMNS}
    return {
        "empty": lambda: replace(trace, **{n: c[:0] for n, c in columns.items()}),
        "odd": lambda: replace(trace, op=np.full(size, 99)),
        "endless": lambda: replace(trace, end_s=np.full(size, np.nan)),
        "backwards": lambda: replace(trace, end_s=trace.start_s - 1)}[how]()


@pytest.mark.parametrize(("how", "said"), [
    ("empty", "no complete program"), ("odd", "column op: operations are 0 to 8, got 99 in row 0"),
    ("endless", "column end_s: seconds, below 8388608, got nan in row 0"),
    ("backwards", "column end_s: not before the start")])
def test_a_trace_that_cannot_be_drawn_is_refused_in_a_line(tmp_path, how: str, said: str) -> None:
    path, out = tmp_path / "bad.npz", tmp_path / "never.html"
    broken(simulated({"minibatches": 6}), how).save(path)
    result = call("explore", path, "--out", out)
    assert result.exit_code == 2, result.output
    assert result.output.startswith(f"error: {path}: ")
    assert said in result.output
    assert result.output.count("\n") == 1
    assert not out.exists()


def test_a_header_without_the_experiment_is_refused_in_a_line(tmp_path) -> None:
    path = tmp_path / "bad.npz"
    simulated({"minibatches": 6}).save(path)
    with np.load(path) as file:
        arrays = {name: file[name] for name in file.files}
    table = json.loads(str(arrays.pop("header")))
    del table["experiment"]
    np.savez(path, header=np.array(json.dumps(table)), **arrays)
    result = call("explore", path, "--out", tmp_path / "never.html")
    assert result.exit_code == 2
    assert result.output == f"error: {path}: the header lacks experiment\n"


def test_every_wrong_file_has_its_line(tmp_path) -> None:
    text, good = tmp_path / "text.npz", tmp_path / "good.npz"
    text.write_text("nothing")
    simulated({"minibatches": 6}).save(good)
    result = call("explore", tmp_path / "gone.npz", good, text, "--out", tmp_path / "x.html")
    assert result.exit_code == 2
    assert len(result.output.splitlines()) == 2
    assert "gone.npz: there is no such file" in result.output
    assert "text.npz: not a pipestale-trace" in result.output
    assert call("explore").exit_code == 2
    assert call("explore", good, "--out", tmp_path).exit_code == 2


@pytest.mark.parametrize("pipeline", [
    {"mitigation": "spectrain-stashed"}, {"mitigation": "i-timeprest"},
    {"schedule": "split", "microbatches": 4, "backward": "recompute"}])
def test_changes_at_row_ends_add_up_to_what_a_stage_holds(pipeline) -> None:
    """Against the step functions of the metrics, at every end of every row."""
    trace = simulated({"minibatches": 10, **pipeline}, training=False)
    columns, _, unknown = held(trace)
    assert unknown == ""
    for stage, wanted in enumerate(memory(trace, plan_of(trace))):
        mine = np.flatnonzero(trace.stage == stage)
        times = np.concatenate((trace.start_s[mine], trace.end_s[mine]))
        sets = np.concatenate([columns[f"sets_at_{end}"][mine] for end in ("start", "end")])
        order = np.argsort(times, kind="stable")
        for moment in np.unique(times):
            now = 1 + sets[order][times[order] <= moment].sum()
            last = np.searchsorted(wanted.versions.time_s, moment, side="right") - 1
            assert now == (wanted.versions.value[last] if last >= 0 else 1)


def test_an_unknown_mitigation_leaves_its_memory_out_and_says_so() -> None:
    trace = simulated({"minibatches": 6}, training=False)
    table = {**trace.header.experiment,
             "pipeline": {**trace.header.pipeline, "mitigation": "not-installed"}}
    odd = replace(trace, header=replace(trace.header, experiment=table))
    (data,) = inside(page([odd], ["odd.npz"]))
    assert "not-installed" in data["heldUnknown"]
    assert not [name for name, _ in data["columns"] if name.startswith("sets_")]
