"""The planner's door: cuts as their formula has them, and as simulated, by hand and by runs."""

from __future__ import annotations

import json
import math
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner
from hypothesis import given, settings
from hypothesis import strategies as st

import analysis
from analysis.__main__ import main
from analysis.cuts.plans import plans
from analysis.cuts.problem import Level, Plan, PlannedStage, Problem
from analysis.cuts.simulated import Places, profile_of
from analysis.metrics.report import report
from analysis.planning.answer import candidates
from analysis.planning.files import plan_of
from analysis.planning.judged import Order, judge, orders
from analysis.planning.question import Question
from analysis.planning.warmups import Turns
from sim.__main__ import main as sim
from sim.errors import ConfigurationError
from sim.times.profile import Profile

pytestmark = pytest.mark.filterwarnings("error")

SKIPPED = "".join(
    f"node{k} -- Linear({k}) -- forward_compute_time=1000.0, backward_compute_time=2000.0, "
    "activation_size=8.0, parameter_size=4.0\n" for k in range(1, 6)) + "".join(
    f"\tnode{a} -- node{b}\n" for a, b in ((1, 2), (1, 3), (2, 4), (3, 4), (4, 5)))
LIMITED = {"weight_bytes": 100.0, "activation_bytes": 40.0, "input_bytes": 10.0}


def layers(times, sent=0.0, **more) -> Profile:
    """Layers whose forward takes a third of their seconds."""
    return Profile.model_validate({
        "format": "pipestale-profile", "version": 1, "boundary_bytes": [sent] * (len(times) - 1),
        "stages": [{"forward_s": t, "backward_s": 2 * t, **more} for t in times]})


def written(folder, profile) -> Path:
    path = folder / "layers.json"
    path.write_text(profile.model_dump_json(exclude_defaults=True))
    return path


def ask(path, *arguments, columns=80):
    return CliRunner().invoke(main, ["partition", str(path), *map(str, arguments)],
                              env={"COLUMNS": str(columns)})


def found(path, *arguments):
    result = ask(path, *arguments, "--json")
    assert result.exit_code == 0, result.output
    return json.loads(result.stdout)


def plan(*stages, objective=1.0) -> Plan:
    """A plan of stages given as (first, last, replicas)."""
    return Plan(tuple(PlannedStage(*each, 1.0) for each in stages), objective, objective)


def pipedreams(folder, sent):
    """The worked example of the planning notes: 4, 4, 2, 2 s, 8 bytes of weights in the last."""
    stages = [{"forward_s": t / 4, "backward_s": 3 * t / 4, "weight_bytes": w}
              for t, w in zip((4, 4, 2, 2), (0, 0, 0, 8), strict=True)]
    return written(folder, Profile.model_validate({
        "format": "pipestale-profile", "version": 1, "stages": stages, "boundary_bytes": sent}))


def test_the_worked_examples_come_out(tmp_path):
    arguments = ["--devices", 4, "--replicas", "--bandwidth", 4]
    cheap = found(pipedreams(tmp_path, [1, 1, 1]), *arguments)
    assert [each["layers"] + [each["replicas"]] for each in cheap["stages"]] == [
        [0, 2, 3], [3, 3, 1]]
    assert cheap["objective_s"] == cheap["bottleneck_s"] == pytest.approx(10 / 3, rel=1e-12)
    dear = found(pipedreams(tmp_path, [1, 1, 9]), *arguments)
    assert [each["layers"] + [each["replicas"]] for each in dear["stages"]] == [
        [0, 1, 3], [2, 3, 1]]
    assert dear["objective_s"] == 4.0


def test_an_endless_run_on_free_links_takes_its_slowest_stage(tmp_path):
    answer = found(written(tmp_path, layers([1.0, 2.0, 0.5, 1.5])), "--devices", 3)
    for row in answer["candidates"]:
        simulated, = row["simulated"]
        assert simulated["schedule"] == "round-robin"
        assert simulated["seconds"] == row["objective_s"] == row["bottleneck_s"]
        assert simulated["miss"] == 0
    assert answer["best"] == 0
    assert answer["objective_s"] == 3 * 2.0


def test_a_flush_takes_what_each_order_takes():
    """GPipe is Σf + (M−1)·max f + Σb + (M−1)·max b on any stages."""
    problem = Problem(layers([1.0, 2.0, 0.5, 1.5]), (Level(3),), "flush", 4)
    cut = plan((0, 0, 1), (1, 2, 1), (3, 3, 1), objective=24.0)
    assert judge(problem, cut, Order("gpipe")).seconds == 5 + 3 * 2.5 + 10 + 3 * 5
    same = plan((0, 0, 1), (1, 1, 1), objective=10.0)
    even = Problem(layers([1.0, 1.0]), (Level(2),), "flush", 3)
    found = judge(even, same, Order("1f1b"))
    assert found.seconds == (3 + 1) * 3.0
    assert found.miss == pytest.approx(0.2)
    assert found.bubble_fraction == pytest.approx(1 / 4)


def test_the_orders_of_a_flush_have_halves_where_those_are_known():
    cut = plan((0, 0, 1), (1, 1, 1))
    plain = Problem(layers([1.0, 1.0]), (Level(2),), "flush", 3)
    def names(problem, cut):
        assert all(order.warmup is None for order in orders(problem, cut))
        return [order.schedule for order in orders(problem, cut)]

    assert names(plain, cut) == ["1f1b", "eager-1f1b", "gpipe"]
    halves = replace(plain, layers=layers([1.0, 1.0], input_backward_s=0.5))
    assert names(halves, cut) == ["1f1b", "eager-1f1b", "gpipe", "zb-h1", "zb-h2"]
    assert names(replace(plain, objective="throughput"), cut) == ["round-robin"]
    assert names(replace(plain, objective="throughput"), plan((0, 1, 2))) == ["hybrid"]
    assert names(replace(halves, schedule="paci"), cut) == ["paci"]


def test_devices_that_share_a_stage_are_one_with_their_part():
    profile = layers([2.0, 1.0, 1.0], 60.0, update_s=0.5, **LIMITED)
    problem = Problem(profile, (Level(5, 100.0, 0.125),), "flush", 2)
    cut = plan((0, 0, 3), (1, 2, 2))
    shared = profile_of(problem, cut)
    first, second = shared.stages
    assert (first.forward_s, second.backward_s) == (2 / 3, 2.0)
    assert (first.weight_bytes, first.activation_bytes) == (100.0, 40 / 3)
    ring = 2 * 2 * 0.125 + 2 * 2 / 3 * 100 / 100
    assert first.update_s == pytest.approx(0.5 + ring, rel=1e-12)
    assert second.update_s == pytest.approx(1.0 + 2 * 0.125 + 200 / 100, rel=1e-12)
    assert shared.boundary_bytes == (30.0,)
    assert profile_of(replace(problem, objective="throughput"), cut).stages[0].forward_s == 2.0


def test_links_are_those_of_the_level_at_which_devices_meet():
    near, far = Level(2, 100.0, 0.0), Level(2, 10.0, 0.5)
    problem = Problem(layers([1.0] * 4), (near, far))
    places = Places.of(problem, plan((0, 0, 1), (1, 1, 1), (2, 3, 2)))
    assert places.boundaries == (near, far)  # devices 0 and 1; 1 to 3
    assert [ring.bandwidth_bytes_per_s for ring in places.rings] == [math.inf, math.inf, 100.0]
    wide = Places.of(problem, plan((0, 0, 3), (1, 3, 1)))
    assert (wide.rings[0], wide.boundaries) == (far, (far,))
    assert Places.of(problem, plan((0, 3, 1))).cluster == {}


def test_replicas_wait_for_the_ring_of_their_own_level():
    """Stage 0 on both devices of a part, stage 1 on one of each: rings over unlike links."""
    profile = layers([2.0, 2.0], weight_bytes=100.0)
    problem = Problem(profile, (Level(4, 100.0), Level(2, 10.0)), replicas=True)
    near = judge(problem, plan((0, 0, 2), (1, 1, 2)), Order("hybrid"))
    far = judge(replace(problem, levels=(Level(3, 100.0), Level(2, 10.0))),
                plan((0, 0, 2), (1, 1, 2)), Order("hybrid"))
    assert near.seconds == (6 + 2 * (1 / 2) * 100 / 100) / 2
    assert far.seconds == (6 + 2 * (1 / 2) * 100 / 10) / 2


WAITS = layers([1.0, 4.0, 1.0], **LIMITED)  # on 1, 4 and 1 devices each stage takes 3 s


def test_a_warm_up_with_which_no_replica_waits_is_tried_too(tmp_path):
    """By default (3 + 12) / (6·1 − 1·4) s; 9 ahead, 2 on the replicas and 1 are enough."""
    out = tmp_path / "out"
    stages = [stage.model_copy(update={"weight_bytes": weights})  # dear to replicate
              for stage, weights in zip(WAITS.stages, (100.0, 0.0, 100.0), strict=True)]
    path = written(tmp_path, WAITS.model_copy(update={"stages": tuple(stages)}))
    arguments = ["--devices", 6, "--replicas", "--bandwidth", 1]
    answer = found(path, *arguments, "--out", out)
    row = answer["candidates"][0]
    assert [each["replicas"] for each in row["stages"]] == [1, 4, 1]
    assert [(each["schedule"], each["warmup"], each["seconds"]) for each in row["simulated"]] == [
        ("hybrid", None, 7.5), ("hybrid", 9, 3.0)]
    assert (answer["best"], row["order"]) == (0, 1)
    assert [each["peak_bytes"][0] for each in row["simulated"]] == [
        300 + 5 * 100 + 6 * 40, 300 + 8 * 100 + 9 * 40]
    assert "hybrid, warmup 9" in ask(path, *arguments).output
    result = CliRunner().invoke(main, ["steady", str(out / "experiment.toml"), "--json", "--set",
                                       f"profile={out / 'stages.json'}"])
    assert json.loads(result.output)["period_s"] == 3.0
    assert "warmup = 9" in (out / "experiment.toml").read_text()


@pytest.mark.parametrize(("limit", "warmup", "seconds"), [
    (1460.0, 9, 3.0), (1459.0, 5, 3.75), (900.0, 5, 3.75), (899.0, 4, 4.5), (759.0, 3, 6.0),
    (619.0, None, 7.5)])
def test_of_warm_ups_the_quickest_that_fits_is_tried(limit, warmup, seconds):
    """With a ahead the first stage has 300 + 100·(a − 1) + 40·a bytes; fewer are quicker, too."""
    problem = Problem(WAITS, (Level(6),), replicas=True, memory_limit_bytes=limit)
    cut = plan((0, 0, 1), (1, 1, 4), (2, 2, 1), objective=3.0)
    default, *longer = orders(problem, cut)
    assert default == Order("hybrid")
    assert [each.warmup for each in longer] == ([] if warmup is None else [warmup])
    judged = judge(problem, cut, [default, *longer][-1])
    assert (judged.seconds, judged.fits) == (seconds, warmup is not None)


@pytest.mark.parametrize("backward", ["graph", "recompute"])
@pytest.mark.parametrize("replicas", [False, True])
@pytest.mark.parametrize("seed", [0, 3])
def test_the_formula_of_a_warm_up_is_what_is_simulated(seed, replicas, backward):
    """With messages, exchanges of replicas and any warm-up; the one to try misses nothing."""
    problem = Problem(drawn(seed), (Level(8, 1e9, 2e-5),), replicas=replicas, backward=backward)
    for cut in plans(problem)[:5]:
        turns = Turns.of(problem, cut)
        tried = orders(problem, cut)
        for order in {*tried, Order(tried[0].schedule, 3), Order(tried[0].schedule, 6)}:
            seconds, formula = judge(problem, cut, order).seconds, turns.period_s(order.warmup)
            assert seconds <= formula * (1 + 1e-6)  # where it makes forwards again while it waits
            assert backward == "recompute" or seconds >= formula * (1 - 1e-6)
        assert min(judge(problem, cut, order).seconds for order in tried) <= max(
            turns.slowest_s, cut.objective_s) * (1 + 1e-6)


def test_what_takes_micro_batches_or_refuses_has_its_own_warm_up_alone():
    cut = plan((0, 0, 1), (1, 1, 4), (2, 2, 1))
    free = Problem(WAITS, (Level(6),), replicas=True, memory_limit_bytes=1e4)
    assert len(orders(free, cut)) == 2
    assert orders(replace(free, mitigation="vertical-sync"), cut) == [Order("hybrid")]
    slow = Problem(layers([1.0, 1.0], 30.0), (Level(2, 1.0),))
    straight = plan((0, 0, 1), (1, 1, 1))
    assert [each.warmup for each in orders(slow, straight)] == [None, 8]
    assert orders(replace(slow, microbatches=2), straight) == [Order("round-robin")]


@pytest.mark.parametrize("objective", ["throughput", "flush"])
def test_the_files_run_the_best_candidate(objective, tmp_path):
    path = written(tmp_path, layers([1.0, 2.0, 0.5, 1.5], 50.0, update_s=0.25, **LIMITED))
    out = tmp_path / "out"
    answer = found(path, "--devices", 3, "--objective", objective, "--replicas", "--bandwidth", 400,
                   "--out", out)
    row = answer["candidates"][answer["best"]]
    best = row["simulated"][row["order"]]
    door, key = {"flush": ((sim, "run"), "makespan_s"),
                 "throughput": ((main, "steady"), "period_s")}[objective]
    result = CliRunner().invoke(door[0], [door[1], str(out / "experiment.toml"), "--json", "--set",
                                          f"profile={out / 'stages.json'}"])
    assert result.exit_code == 0, result.output
    run = json.loads(result.output)
    assert run["schedule"] == best["schedule"]
    assert run[key] == best["seconds"]
    assert json.loads((out / "partition.json").read_text())["stages"] == row["stages"]
    assert plan_of(row).counts == [b - a + 1 for a, b in (s["layers"] for s in row["stages"])]


def test_bytes_are_those_of_the_run_beside_its_state(tmp_path):
    """Of what a run holds the report counts weights, versions and activations."""
    path = written(tmp_path, layers([1.0, 1.0, 1.0], **LIMITED))
    answer = found(path, "--devices", 3, "--state-copies", 2, "--memory-limit", 1000)
    row = next(each for each in answer["candidates"] if len(each["stages"]) == 3)
    run = report(__import__("sim").run(
        schedule="round-robin", mitigation="stash", stages=3, task="none", profile=str(path)))
    assert row["simulated"][0]["peak_bytes"] == [
        peak + 2 * 100 for peak in run["memory"]["peak_device_bytes"]]
    assert row["simulated"][0]["peak_bytes"] == [100 * 5 + 3 * 40, 100 * 4 + 2 * 40, 340.0]


def test_what_does_not_fit_is_told_and_is_not_the_best(tmp_path):
    """GPipe keeps all 8 micro-batches, 1F1B as many as stages from its own on."""
    path = written(tmp_path, layers([1.0, 1.0], **LIMITED))
    answer = found(path, "--devices", 2, "--objective", "flush", "--microbatches", 8,
                   "--memory-limit", 450)
    row = answer["candidates"][0]
    fits = {each["schedule"]: each["fits"] for each in row["simulated"]}
    assert fits == {"1f1b": True, "eager-1f1b": True, "gpipe": False}
    result = ask(path, "--devices", 2, "--objective", "flush", "--microbatches", 8,
                 "--memory-limit", 450)
    assert "at most 450 B on each" in result.output


def test_layers_of_a_graph_are_cut_at_its_narrow_places(tmp_path):
    graph = tmp_path / "graph.txt"
    graph.write_text(SKIPPED)
    answer = found(graph, "--devices", 4)
    ends = {stage["layers"][1] for row in answer["candidates"] for stage in row["stages"]}
    assert ends == {0, 3, 4}  # between 0 and 3 two branches run side by side
    assert answer["layers"] == 5
    assert "node1 Linear" in ask(graph, "--devices", 4).output


def test_an_order_that_does_not_run_is_told_with_its_reason(tmp_path):
    path = written(tmp_path, layers([1.0, 1.0, 1.0]))
    result = ask(path, "--devices", 2, "--schedule", "chimera", "--objective", "flush",
                 "--microbatches", 3)
    assert result.exit_code == 0, result.output
    shown = " ".join(result.output.split())
    assert "refused with 2 stages: pipeline.schedule: chimera has two pipelines" in shown
    assert "stages is even, got 1." in shown
    assert "nothing that was simulated runs" in result.output


def test_the_function_gives_what_the_door_prints(tmp_path):
    path = written(tmp_path, layers([1.0, 2.0, 0.5], 10.0, **LIMITED))
    assert analysis.partition(path, devices=2, objective="flush", bandwidth=100.0,
                              latency=[0.5], memory_limit=1e6) == found(
        path, "--devices", 2, "--objective", "flush", "--bandwidth", 100, "--latency", 0.5,
        "--memory-limit", 1e6)


def test_stages_may_be_shared_by_several_devices(tmp_path):
    """Of 6 devices two share a stage: α = 1/8 s, β = 10 B/s; 2 all-reduces of 20 B each way take
    2·2·(2·(1/8) + 20/10) s a layer, and half of the layer's own 3 s."""
    path = written(tmp_path, layers([1.0, 1.0, 1.0], 20.0, **LIMITED))
    arguments = ["--devices", 6, "--ways", 2, "--ring-latency", 0.125, "--ring-bandwidth", 10]
    answer = found(path, *arguments)
    assert (answer["devices"], answer["ways"], len(answer["stages"])) == (6, 2, 3)
    assert answer["objective_s"] == 1.5 + 4 * 2.25
    simulated, = answer["candidates"][0]["simulated"]
    assert simulated["seconds"] == answer["objective_s"]
    assert simulated["peak_bytes"][2] == pytest.approx(3 * 50 + 40 * (10 + 24 / 2) / 34)
    assert "ways: devices that share" in ask(path, *arguments).output


def test_several_numbers_of_devices_that_share_are_tried(tmp_path):
    """On free links two layers of 3 s on 4 devices: 3 s by two stages, 1.5 s where 2 share each."""
    path = written(tmp_path, layers([1.0, 1.0]))
    out = tmp_path / "out"
    answer = found(path, "--devices", 4, "--ways", "1,2,4", "--out", out)
    assert (answer["ways"], answer["objective_s"], answer["best"]) == (2, 1.5, 0)
    assert [(row["ways"], len(row["stages"]), row["devices"], row["objective_s"])
            for row in answer["candidates"]] == [
        (2, 2, 4, 1.5), (4, 1, 4, 1.5), (1, 2, 2, 3.0), (2, 1, 2, 3.0), (1, 1, 1, 6.0)]
    assert "# Each device stands for 2" in (out / "experiment.toml").read_text()


@given(st.integers(0, 2**32 - 1), st.sampled_from(["throughput", "flush"]))
@settings(max_examples=12, deadline=None)
def test_what_the_cut_says_fits_fits_as_simulated(seed, objective):
    """The cuts' own count of bytes, made without a simulation, is that of the simulated run."""
    rng = np.random.default_rng(seed)
    stages = [{"forward_s": f, "backward_s": 2 * f, "weight_bytes": w, "activation_bytes": a,
               "input_bytes": 1.0} for f, w, a in zip(*rng.integers(1, 9, (3, 6)).astype(float),
                                                      strict=True)]
    profile = Profile.model_validate({"format": "pipestale-profile", "version": 1,
                                      "stages": stages, "boundary_bytes": [1.0] * 5})
    problem = Problem(profile, (Level(4),), objective, 8 if objective == "flush" else 1,
                      memory_limit_bytes=float(rng.integers(60, 160)),
                      schedule={"throughput": "round-robin", "flush": "1f1b"}[objective])
    try:
        fitting = {len(each.stages): each for each in plans(problem)}
    except ConfigurationError:
        fitting = {}
    for number, free in ((len(each.stages), each)
                         for each in plans(replace(problem, memory_limit_bytes=math.inf))):
        if number in fitting:
            assert judge(problem, fitting[number], orders(problem, free)[0]).fits
        else:
            assert not judge(problem, free, orders(problem, free)[0]).fits


@given(st.integers(0, 2**32 - 1))
@settings(max_examples=12, deadline=None)
def test_what_a_formula_says_exactly_is_so_as_simulated(seed):
    """On free links without replicas: the slowest stage of an endless run; a flush of stages whose
    forwards and backwards are in one proportion, under GPipe."""
    rng = np.random.default_rng(seed)
    profile = layers([*rng.integers(1, 64, 7) / 16.0])
    endless = Problem(profile, (Level(4),))
    flush = Problem(profile, (Level(4),), "flush", int(rng.integers(1, 9)), schedule="gpipe")
    for problem in (endless, flush):
        for each in plans(problem):
            assert judge(problem, each, orders(problem, each)[0]).seconds == each.objective_s


def drawn(seed) -> Profile:
    """Twelve layers, whose seconds and bytes are as far apart as real ones'."""
    rng = np.random.default_rng(seed)
    seconds = rng.lognormal(0, 0.6, 12) * 1e-2
    stages = [{"forward_s": f, "backward_s": f * ratio, "weight_bytes": weights,
               "activation_bytes": 1e6}
              for f, ratio, weights in zip(seconds.tolist(), rng.uniform(1.5, 2.5, 12).tolist(),
                                           rng.lognormal(16, 1.5, 12).tolist(), strict=True)]
    return Profile.model_validate({
        "format": "pipestale-profile", "version": 1, "stages": stages,
        "boundary_bytes": rng.lognormal(14, 1, 11).tolist()})


@pytest.mark.parametrize(("objective", "replicas", "others", "most"), [
    ("throughput", False, 0, 0.0), ("throughput", True, 8, 0.108), ("flush", False, 6, 0.017),
    ("flush", True, 16, 0.136)])
@pytest.mark.verify
def test_how_often_another_cut_is_quicker_than_the_formulas_best(objective, replicas, others, most):
    """What the planner's page says of 30 drawn networks on 8 devices (1 GB/s, 20 µs)."""
    gains, misses = [], []
    for seed in range(30):
        problem = Problem(drawn(seed), (Level(8, 1e9, 2e-5),), objective,
                          32 if objective == "flush" else 1, replicas)
        chosen, left_out = candidates({1: problem}, 16)
        judged = [[judge(problem, each.plan, order) for order in each.orders] for each in chosen]
        best = [min(each.seconds for each in orders) for orders in judged]
        if objective == "throughput":  # with the warm-up to try none misses what it promises
            assert max(min(each.miss for each in orders) for orders in judged) < 1e-6
            misses.append([orders[0].miss for orders in judged])  # by default
        assert not left_out
        gains.append(1 - min(best) / best[0])
    assert sum(gain > 1e-9 for gain in gains) == others
    assert max(gains) == pytest.approx(most, abs=0.005)
    if objective == "throughput" and replicas:
        each = np.concatenate(misses)
        assert (len(each), (each > 0.01).sum()) == (240, 74)
        assert each.max() == pytest.approx(1.48, abs=0.005)
        first = np.array([network[0] for network in misses])
        assert (first > 0.01).sum() == 14
        assert first.max() == pytest.approx(0.85, abs=0.005)


def test_only_so_many_candidates_are_simulated(tmp_path):
    path = written(tmp_path, layers([1.0] * 6))
    answer = found(path, "--devices", 6, "--most", 2)
    assert (len(answer["candidates"]), answer["left_out"]) == (2, 4)
    assert "4 more cuts by formula are not simulated" in ask(
        path, "--devices", 6, "--most", 2).output


def test_of_large_networks_the_first_candidates_are_simulated():
    """Without a number as many as take a few seconds: all of a small network, few of a large."""
    small = Problem(layers([1.0] * 8), (Level(8),))
    assert [len(candidates({1: small}, None)[0]), candidates({1: small}, None)[1]] == [8, 0]
    large = Problem(layers([1.0] * 16), (Level(16),), "flush", 1024)
    chosen, left_out = candidates({1: large}, None)
    assert (len(chosen), left_out) == (5, 11)  # of 16, 8, 9, 10 and 11 stages
    huge = replace(large, microbatches=10_000)
    assert [len(candidates({1: huge}, most)[0]) for most in (None, 3)] == [1, 3]


@pytest.mark.parametrize("columns", [80, 200])
def test_no_number_is_cut_on_any_screen(columns, tmp_path):
    path = written(tmp_path, layers([0.00123, 0.00256, 0.00078], 12345.0, **LIMITED))
    arguments = ["--devices", 3, "--replicas", "--bandwidth", 1e6, "--memory-limit", 1e9]
    answer = found(path, *arguments)
    result = ask(path, *arguments, columns=columns)
    assert max(map(len, result.output.splitlines())) <= columns
    cells = {cell for line in result.output.splitlines() for cell in line.split()}
    for row in answer["candidates"]:
        for seconds in (row["objective_s"], row["simulated"][row["order"]]["seconds"]):
            assert {f"{1000 * seconds:.{digits}f}" for digits in (2, 3)} & cells


MISTAKES = [
    (["--devices", 0, "--microbatches", 0, "--memory-limit", -1, "--schedule", "gpip",
      "--mitigation", "stsh"],
     ["--devices: from 1", "--microbatches: from 1", "--memory-limit: bytes", "did you mean gpipe",
      "did you mean stash"]),
    (["--devices", 6, "--levels", "2,2", "--bandwidth", "1,2,3", "--latency", "-1"],
     ["--levels: parts of each level", "--bandwidth: one number, or one for each level, so 2",
      "--latency: from 0 on"]),
    (["--devices", 4, "--bandwidth", "1,2"], ["--levels says what levels there are"]),
    (["--devices", 4, "--bandwidth", "fast"], ["--bandwidth: numbers by comma, got 'fast'"]),
    (["--devices", 4, "--memory-limit", 1], ["does not say stages.0.weight_bytes and 5 more"]),
    (["--devices", 6, "--ways", 4], ["--ways: divides the devices, got 4 and 6"]),
    (["--devices", 6, "--ring-latency", 1], ["--ring-latency: no stage is shared"]),
    (["--devices", 2, "--replicas", "--microbatches", 2], ["replicas take whole mini-batches"]),
]


@pytest.mark.parametrize(("arguments", "said"), MISTAKES)
def test_mistakes_are_told_all_at_once_and_nothing_is_written(arguments, said, tmp_path):
    path = written(tmp_path, layers([1.0, 1.0, 1.0]))
    result = ask(path, *arguments, "--out", tmp_path / "out")
    assert result.exit_code == 2
    lines = [line for line in result.output.splitlines() if line.startswith("error: ")]
    assert len(lines) == len(said), result.output
    for line, text in zip(lines, said, strict=True):
        assert text in line
    assert not (tmp_path / "out").exists()


def test_a_file_that_is_none_is_told(tmp_path):
    result = ask(tmp_path / "nowhere.json", "--devices", 2)
    assert result.exit_code == 2
    assert "nowhere.json" in result.output


def test_a_question_names_its_numbers():
    with pytest.raises(ConfigurationError, match="--state-copies: from 0"):
        Question(Path("layers.json"), 2, state_copies=-1.0)
