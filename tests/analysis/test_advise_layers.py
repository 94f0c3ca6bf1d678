"""The advisor on layers: nothing it did not run would have been on the front, and files run it."""

from __future__ import annotations

import json
import math
import tomllib
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner
from hypothesis import given, settings
from hypothesis import strategies as st

from analysis.__main__ import main
from analysis.advice.advise import advise
from analysis.advice.documents import document_of, program_of
from analysis.advice.files import experiment_files, settled_period_s
from analysis.advice.pareto import pareto_front
from analysis.advice.planned.candidates import Made, Refused, asked_for
from analysis.advice.planned.layers import cuts_layers, read_layers
from analysis.advice.planned.weighing import weigh
from analysis.advice.question import Question
from analysis.advice.ranking import name
from analysis.metrics.report import report
from analysis.theory.endless import endless
from analysis.theory.steady import SteadyState
from sim.experiment.configuration import resolve
from sim.experiment.program_file import with_program
from sim.experiment.run import run
from sim.schedules import SCHEDULES
from sim.trace import Trace

pytestmark = pytest.mark.filterwarnings("error")  # whatever a door warns of, a user would read

LAYER = {"forward_s": 0.5, "backward_s": 1.0, "update_s": 0.125, "weight_bytes": 100.0,
         "activation_bytes": 40.0, "input_bytes": 10.0, "workspace_bytes": 7.0}
UNEVEN = [{**LAYER, "forward_s": 0.5 + 0.25 * (k % 3), "weight_bytes": 50.0 + 40 * k}
          for k in range(6)]


def written(folder, layers=UNEVEN, **changes) -> Path:
    path = folder / "layers.json"
    path.write_text(json.dumps({
        "format": "pipestale-profile", "version": 1, "microbatch_size": 4, "latency_s": 0.0625,
        "bandwidth_bytes_per_s": 400.0, "stages": layers,
        "boundary_bytes": [10.0] * (len(layers) - 1)} | changes))
    return path


def unwatched(done: int, total: int) -> None:
    """Nobody looks at how far it is."""


def ask(path, *arguments, devices=2, limit="1e9"):
    return CliRunner().invoke(main, ["advise", str(path), "--devices", str(devices),
                                     "--memory-limit", str(limit), *map(str, arguments)])


@st.composite
def questions(draw):
    one = st.sampled_from
    layers = [{"forward_s": draw(one([0.3, 0.5, 1.0])), "backward_s": draw(one([0.6, 1.0, 2.0])),
               "update_s": draw(one([0.0, 0.1])), "weight_bytes": draw(one([1.0, 50.0, 400.0])),
               "activation_bytes": draw(one([1.0, 60.0, 300.0])),
               "input_bytes": draw(one([1.0, 20.0]))} for _ in range(draw(st.integers(2, 5)))]
    if draw(st.booleans()):
        for layer in layers:
            layer["input_backward_s"] = draw(one([0.2, 0.5]))
            layer["weight_backward_s"] = draw(one([0.1, 0.6]))
    changes = {"latency_s": draw(one([0.0, 0.2])),
               "bandwidth_bytes_per_s": draw(one([50.0, 1e4])),
               "boundary_bytes": [draw(one([1.0, 20.0])) for _ in layers[1:]]}
    asked = {"devices": draw(st.integers(1, 4)), "microbatches": (draw(one([1, 2, 4])),),
             "memory_limit_bytes": draw(one([900.0, 4000.0])), "ways": (draw(one([1, 2])),),
             "schedules": draw(st.lists(one(SCHEDULES.names()), min_size=3, max_size=5,
                                        unique=True)),
             "mitigations": ("none", "stash", "spectrain"), "consistent": draw(st.booleans())}
    return layers, changes, asked


@given(questions())
@settings(max_examples=25)
def test_what_is_not_run_is_not_on_the_front(tmp_path_factory, drawn):
    layers, changes, asked = drawn
    question = Question(written(tmp_path_factory.mktemp("p"), layers, **changes), layers=True,
                        **asked)
    read = read_layers(question)
    made = Made(question, Refused())
    asked_about = asked_for(question, read)
    chosen = [(asked, each) for asked in asked_about for each in made.candidates(asked)]
    costs = []
    for asked, each in chosen:
        endless = each.running.endless
        if not isinstance(endless, SteadyState):
            continue
        assert asked.least_s <= endless.period_s * (1 + 1e-12)
        assert each.running.least_s <= endless.period_s * (1 + 1e-12)
        assert asked.least_bytes <= each.peak_bytes
        allowed = (each.peak_bytes <= question.memory_limit_bytes and not (
            question.consistent and each.known.row["inconsistent_fraction"]))
        if allowed:
            rate = each.running.arrangement.workers * each.running.key.microbatches
            costs.append((-float(rate / endless.period), each.peak_bytes, each.staleness))
    found = weigh(asked_about, made, read.size, unwatched, math.inf)
    every, mine = (np.unique(np.array(points).reshape(-1, 3), axis=0) for points in (
        costs, [(-row["microbatches_per_s"], row["peak_bytes"], row["staleness_mean"])
                for row in found.rows]))
    front, own = every[pareto_front(every)], mine[pareto_front(mine)]
    assert front.shape == own.shape
    assert np.allclose(front, own, rtol=1e-11, atol=0.0)


@pytest.mark.parametrize(("schedules", "backward", "changes"), [
    (("1f1b", "round-robin"), "graph", {"ways": (1,)}),
    (("hybrid",), "graph", {"ways": (1,)}),
    (("interleaved", "zbv", "chimera"), "recompute", {"ways": (1,)}),
    (("zb-h1", "round-robin"), "graph", {"ways": (2,), "ring_bandwidth_bytes_per_s": 1e5,
                                         "ring_latency_s": 0.001})])
def test_each_front_point_is_reproduced_by_its_file(tmp_path, schedules, backward, changes):
    question = Question(written(tmp_path), 1e9, 4, (4,), schedules=schedules,
                        backwards=(backward,), bandwidth_bytes_per_s=1e4,
                        mitigations=("stash",), **changes)
    advice = advise(question)
    files = experiment_files(advice)
    front = [row for row in advice["rows"] if "experiment_file" in row]
    assert {row["experiment_file"] for row in front} == set(files) != set()
    for row in front:
        experiment = resolve(tomllib.loads(files[row["experiment_file"]]))
        trace = run(experiment)
        settled = settled_period_s(trace.first_worker())
        assert settled / row["workers"] == pytest.approx(row["period_s"], rel=1e-12)
        assert row["devices_used"] == trace.shape.devices * row["ways"] <= 4
        assert sum(row["layers"]) == len(UNEVEN)
        held, extra = row["device_bytes"], row["device_bytes"]["state"]
        own = np.array(held["peak"]) - extra - held["workspace"]
        assert own.tolist() == pytest.approx(predicted(trace), rel=1e-12)


def test_replicas_are_advised_with_the_warm_up_with_which_none_waits_too(tmp_path):
    """One device, four and one: 3 s each where 9 are under way, 7.5 s by default; its file runs."""
    layers = [{**LAYER, "forward_s": each, "backward_s": 2 * each, "update_s": 0.0,
               "weight_bytes": weights} for each, weights in ((1.0, 1e6), (4.0, 0.0), (1.0, 1e6))]
    question = Question(written(tmp_path, layers, latency_s=0.0), 1e9, 6, schedules=("hybrid",),
                        ways=(1,), backwards=("graph",), mitigations=("stash",),
                        bandwidth_bytes_per_s=1e6)
    advice = advise(question)
    found = {row["laid_out"]: row for row in advice["rows"]}
    own, longer = found["3x1x1-r1_4_1"], found["3x1x1-r1_4_1-w9"]
    assert (own["warmup"], longer["warmup"]) == (None, 9)
    assert own["period_s"] == pytest.approx(7.5, rel=1e-4)
    assert longer["period_s"] == pytest.approx(3.0, rel=1e-4)
    assert own["staleness_mean"] < longer["staleness_mean"]
    assert endless(resolve(document_of(advice, longer, 60)))["period_s"] == longer["period_s"]


def test_an_order_that_was_searched_for_is_a_row_with_its_program(tmp_path):
    question = Question(written(tmp_path), 2500.0, 3, (4,), schedules=("1f1b", "gpipe"), ways=(1,),
                        backwards=("graph",), search_s=0.3)
    advice = advise(question)
    row, *_ = [row for row in advice["rows"] if row["schedule"] == "searched"]
    assert row["searched"]["makespan_s"] <= min(row["searched"]["named_s"].values())
    assert row["peak_bytes"] <= 2500.0
    assert row["staleness_mean"] == 0.0
    assert not any("--search" in each["why"] for each in advice["left_out"])
    document = document_of(advice, row, 60)
    trace = run(*with_program(document, program_of(row)))
    assert settled_period_s(trace.first_worker()) / row["workers"] == pytest.approx(
        row["period_s"], rel=1e-12)
    files = experiment_files(advice | {"rows": [row | {"status": "front", "same_as": None}]})
    assert sorted(Path(each).suffix for each in files) == [".program", ".toml"]


def predicted(trace: Trace) -> list[float]:
    """Peak bytes of each device of the first worker, as the report of a run has them."""
    return report(trace)["memory"]["peak_device_bytes"]


def test_two_alike_layers_on_two_devices_by_hand(tmp_path):
    """Layers of 0.5 s forward and 1 s backward, without messages or updates: 1F1B over both does
    4 micro-batches in 1.5·(4 + 1) s, and waits for a message there and back by every second; two
    pipelines of one device do them in 3·4 s, and exchange 200 bytes, at 400 a second, in two
    messages of 0.0625 s more."""
    plain = {**LAYER, "update_s": 0.0}
    path = written(tmp_path, [plain, plain], boundary_bytes=[0.0])
    question = Question(path, 1e9, 2, (4,), layers=True, schedules=("1f1b",), ways=(1,),
                        backwards=("graph",))
    made = Made(question, Refused())
    found = {each.running.arrangement.laid_out: each
             for asked in asked_for(question, read_layers(question))
             for each in made.candidates(asked)}
    deep, wide = found["2x1x1"], found["1x2x1"]
    assert deep.running.least_s == 1.5 * 5 + 2 * 0.0625
    assert deep.running.endless.period_s == 1.5 * 5 + 4 * 0.0625
    assert deep.peak_bytes == 100 + 200 + 2 * 40 + 7
    assert wide.running.endless.period_s == wide.running.least_s == 3.0 * 4 + 0.5 + 0.125
    (best,) = [row for row in advise(question)["rows"] if row["laid_out"] == "1x2x1"]
    assert best["samples_per_s"] == pytest.approx(2 * 4 * 4 / 12.625)


def test_what_a_file_has_is_told_from_it(tmp_path):
    path = written(tmp_path)
    assert cuts_layers(Question(path, 1e9, 4))
    assert not cuts_layers(Question(path, 1e9, 6))
    assert cuts_layers(Question(path, 1e9, 6, layers=True))
    assert cuts_layers(Question(written(tmp_path, notes={"layers": ["a"] * 6}), 1e9, 6))
    graph = tmp_path / "graph.txt"
    graph.write_text("".join(
        f"node{k} -- Linear() -- forward_compute_time=2.0, backward_compute_time=4.0, "
        f"activation_size=1000.0, parameter_size=100.0\n" for k in (1, 2, 3))
        + "\tnode1 -- node2\n\tnode2 -- node3\n")
    assert cuts_layers(Question(graph, 1e9, 3))
    rows = advise(Question(graph, 1e9, 3, (2,), schedules=("gpipe",), backwards=("graph",)))["rows"]
    assert {row["laid_out"] for row in rows if row["status"] == "front"} <= {
        row["laid_out"] for row in rows}
    assert max(row["microbatches_per_s"] for row in rows) > 0


def test_what_was_not_looked_at_is_told(tmp_path):
    result = ask(written(tmp_path), "--microbatches", "2", "--ways", "1", limit=900)
    assert result.exit_code == 0, result.output
    text = " ".join(result.output.split())
    for said in ("candidates of these:", "orders on cuts:", "left out: seq1f1b", "more cannot run"):
        assert said in text
    advice = advise(Question(written(tmp_path), 900.0, 2, (2,), ways=(1,)))
    counts = advice["looked_at"]
    assert counts["candidates"] == sum(
        counts[key] for key in ("over_limit", "inconsistent", "beaten", "run"))
    assert counts["orders"] > sum(
        counts[f"orders_{key}"] for key in ("beaten", "over_limit", "not_reached")) > 0
    assert len({name(row) for row in advice["rows"]}) == counts["run"]


def test_the_clock_stops_it_and_it_says_so(tmp_path):
    advice = advise(Question(written(tmp_path), 1e9, 2, (4,), ways=(1,), within_s=0.0))
    assert advice["looked_at"]["run"] > 0
    assert advice["looked_at"]["orders_not_reached"] > 0


def test_nothing_that_fits_is_an_answer(tmp_path):
    result = ask(written(tmp_path), "--schedules", "1f1b", limit=10)
    assert result.exit_code == 0, result.output
    assert "nothing fits: the least any candidate needs is" in " ".join(result.output.split())


@pytest.mark.parametrize(("changes", "arguments", "said"), [
    ({}, ["--schedules", "1f1c"], "did you mean 1f1b"),
    ({}, ["--mitigations", "stashed"], "'stashed' is unknown"),
    ({}, ["--ways", "0"], "--ways: at least 1"),
    ({}, ["--bandwidth", "0"], "--bandwidth: bytes per second"),
    ({}, ["--latency", "-1"], "--latency: seconds"),
    ({}, ["--seconds", "nan"], "--seconds"),
    ({}, ["--batch-size", "6"], "multiple of the profile's microbatch_size 4"),
    ({"microbatch_size": None}, ["--batch-size", "8"], "no microbatch_size"),
    ({}, ["--devices", "100000"], "--devices: at most 65536"),
    ({}, ["--ways", "2048"], "--ways: at most 1024"),
    ({"boundary_bytes": [1.0]}, [], "boundary_bytes: 6 layers have 5, got 1"),
    ({"stages": [{**LAYER, "weight_bytes": 6e14}] * 6}, [],
     "weight_bytes: of a stage's layers together"),
    ({"placement": ["cpu"] * 6}, [], "placement: is of stages on their devices")])
def test_a_mistake_is_one_line_and_nothing_is_written(tmp_path, changes, arguments, said):
    out = tmp_path / "out"
    result = ask(written(tmp_path, **changes), *arguments, "--out", out)
    assert result.exit_code == 2, result.output
    assert said in result.output
    assert result.output.count("\n") == 1
    assert not out.exists()
