"""Distances by stage, stale beside predicted weights, curves: against weights kept by hand."""

import csv
import json

import numpy as np
import pytest
import torch
from click.testing import CliRunner

from gpu.__main__ import main
from gpu.lanes.devices import parse_devices
from gpu.runtime.settings import RunSettings
from gpu.studies.curves import ends_s, minibatches_to
from gpu.studies.staleness.investigation import Study, by_stage, investigate, steady, weight_pass
from gpu.studies.staleness.methods import FRESH, fewest_microbatches, methods, with_defaults
from gpu.studies.staleness.prediction import Probe, moment
from gpu.studies.summary import formatted, summarised
from sim.errors import ConfigurationError
from sim.experiment.configuration import resolve
from sim.mitigations import MITIGATIONS
from sim.numerics.tasks import Evaluation
from sim.numerics.training import train
from sim.op import Op
from sim.order.check import execution_order
from tests.gpu.conftest import cpu_assembly


def base(stages=2, minibatches=8, **training):
    return resolve({"pipeline": {"stages": stages, "minibatches": minibatches},
                    "training": {"batch_size": 4, "evaluate_every": 4, **training}})


def trained(watch=None, **options):
    """An assembly stepped in program order, and every version of every stage."""
    assembly = cpu_assembly(**options)
    kept = [[stage.weights] for stage in assembly.stages]

    def see(number, version, weights):
        kept[number].append(weights)
        if watch is not None:
            watch(assembly)(number, version, weights)

    train(execution_order(assembly.program), assembly.stages, assembly.task, assembly.program,
          watch=see)
    return assembly, kept


def rmse(one, two):
    return float(torch.sqrt(torch.mean((one - two) ** 2)))


def test_every_mitigation_finds_a_schedule_or_a_reason():
    chosen, refused = methods(base(stages=4))
    assert chosen[0].label == FRESH
    assert {m.mitigation for m in chosen[1:]} | {r.mitigation for r in refused} == set(
        MITIGATIONS.names())
    assert {m.schedule for m in chosen if m.mitigation == "stash"} == {"round-robin"}
    assert {m.schedule for m in chosen if m.mitigation == "timeprest"} == {"nf1b"}
    with pytest.raises(ConfigurationError, match="did you mean stash"):
        methods(base(), ["stashh"])


@pytest.mark.parametrize(("stages", "batch", "n"), [(2, 4, 2), (4, 16, 4), (4, 9, 3), (9, 7, None)])
def test_a_batch_is_split_as_little_as_v_timeprest_allows(stages, batch, n):
    assert fewest_microbatches(stages, batch) == n


def test_defaults_give_way_to_what_is_said(tmp_path):
    (tmp_path / "e.toml").write_text("[training]\nbatch_size = 8\n")
    defaults = {"training.batch_size": 16, "training.learning_rate": 0.1,
                "pipeline.minibatches": 5}
    found = with_defaults(tmp_path / "e.toml", ["minibatches=7"], defaults)
    assert (found.training.batch_size, found.training.learning_rate) == (8, 0.1)
    assert found.pipeline.minibatches == 7


@pytest.mark.parametrize("mitigation", ["none", "stash", "vertical-sync"])
def test_distances_by_stage_are_those_of_the_weights_kept_by_hand(mitigation):
    assembly, kept = trained(stages=3, minibatches=10, mitigation=mitigation)
    plan = assembly.plan
    for row in by_stage(assembly.stages, plan):
        k = row["stage"]
        read = (plan.forward if row["pass"] == "forward" else plan.backward)[k]
        pairs = [(kept[k][v], kept[k][fresh]) for v, fresh in zip(read, plan.applied[k],
                                                                  strict=True)]
        assert row["rmse"] == pytest.approx(np.mean([rmse(*pair) for pair in pairs]), rel=1e-5)
        relative = np.mean([float((u - f).norm() / f.norm()) for u, f in pairs])
        assert row["relative"] == pytest.approx(relative, rel=1e-5)
        middle = slice(3, 7)
        assert row["lag"] == (plan.applied[k] - read)[middle].mean()
    assert steady(plan).tolist() == [3, 4, 5, 6]


def test_stale_and_predicted_distances_are_those_of_the_weights_kept_by_hand():
    velocities = {}

    def watch(assembly):
        return lambda number, version, weights: velocities.setdefault(
            (number, version), moment(assembly.stages[number]))

    assembly, kept = trained(watch, stages=2, minibatches=6)
    again = cpu_assembly(stages=2, minibatches=6)
    probe = Probe(again.stages, (0, 1, 2))
    train(execution_order(again.program), again.stages, again.task, again.program, watch=probe)
    rows = list(probe.rows())
    assert {(r["horizon"], r["update"]) for r in rows} == {
        (s, u) for s in (0, 1, 2) for u in range(max(s, 1), 7)}
    size = sum(len(stage.weights) for stage in assembly.stages)
    for row in rows:
        s, then = row["horizon"], row["update"] - row["horizon"]
        stale = predicted = 0.0
        for k in range(2):
            target, old = kept[k][row["update"]], kept[k][then]
            velocity = velocities[k, then].velocity if then else torch.zeros_like(old)
            stale += float(((old - target) ** 2).sum())
            predicted += float(((old - s * 0.05 * velocity - target) ** 2).sum())
        assert row["stale_rmse"] == pytest.approx((stale / size) ** 0.5, rel=1e-4, abs=1e-9)
        assert row["predicted_rmse"] == pytest.approx((predicted / size) ** 0.5, rel=1e-4, abs=1e-9)


def test_a_prediction_of_no_steps_is_fresh():
    assembly = cpu_assembly(minibatches=4)
    probe = Probe(assembly.stages, (0,))
    train(execution_order(assembly.program), assembly.stages, assembly.task, assembly.program,
          watch=probe)
    for row in probe.rows():
        assert [row[n] for n in ("stale_rmse", "predicted_rmse", "predicted_relative")] == [0] * 3
    now = moment(assembly.stages[0])
    assert now.predicted(0) is now.weights


def test_predictions_beat_stale_weights_on_a_smooth_training():
    _, _, probe = weight_pass(base(minibatches=40, batch_size=16, seed=0), RunSettings(),
                              parse_devices("cpu")[0], probed=True)
    rows = [r for r in probe.rows() if r["update"] > 10]
    for s in (1, 2, 3):
        mine = [r for r in rows if r["horizon"] == s]
        assert np.mean([r["predicted_rmse"] for r in mine]) < np.mean(
            [r["stale_rmse"] for r in mine])


def test_the_weight_pass_and_the_timing_pass_are_one_program():
    chosen, refused = methods(base(), ["stash"])
    study = Study(base(), RunSettings(), chosen, refused, (0, 1), 0.0)
    found = investigate(study, parse_devices("cpu,cpu"))
    assert [(r["method"], r["seed"]) for r in found.targets] == [
        (FRESH, 0), ("stash", 0), (FRESH, 1), ("stash", 1)]
    for row in found.targets:
        assert row["minibatches_to_target"] == 4  # the first evaluation: any accuracy will do
        assert 0 < row["seconds_to_target"] <= row["total_s"]
        assert row["training_accuracy"] is not None
    assert {r["method"] for r in found.prediction} == {FRESH}
    never = investigate(Study(base(), RunSettings(), chosen[:1], (), (0,), 1.1, timed=False),
                        parse_devices("cpu,cpu"))
    assert never.targets[0]["minibatches_to_target"] is never.targets[0]["total_s"] is None


def test_a_divergence_is_a_result():
    study = Study(base(learning_rate=1e30), RunSettings(), methods(base(), ["none"])[0], (), (0,),
                  0.5)
    found = investigate(study, parse_devices("cpu,cpu"))
    assert all(row["diverged_at"] is not None for row in found.targets)


def test_ends_are_those_of_the_last_updates():
    from gpu.runtime.run import run
    from tests.gpu.conftest import cpu_lanes

    trace = run(cpu_assembly(minibatches=5), cpu_lanes(2))
    ends = ends_s(trace)
    assert (np.diff(ends) > 0).all()
    assert ends[-1] == trace.end_s[trace.op == Op.U].max()


def test_the_way_to_a_target():
    points = [Evaluation(1.0, 1.0, a) for a in (0.2, 0.5, 0.4, 0.9)]
    assert minibatches_to(0.5, [4, 8, 12, 16], points) == 8
    assert minibatches_to(0.95, [4, 8, 12, 16], points) is None


def test_a_summary_leaves_out_what_is_missing_and_says_so():
    found = summarised([1.0, 3.0, None, float("nan")])
    assert (found["mean"], found["sd"], found["missing"]) == (2.0, None, 2)
    assert formatted(found, 1) == "1.0, 3.0 (2 missing)"
    assert formatted(summarised([None])) == "–"
    assert formatted(summarised([2.0]), 1) == "2.0"


def test_intervals_are_of_four_values_and_stay_in_the_range():
    assert summarised([1.0, 2.0, 3.0])["ci95"] is None
    assert formatted(summarised([1.0, 2.0, 3.0]), 1) == "2.0 ± 1.0"
    low, high = summarised([0.01, 0.5, 3.0, 40.0])["ci95"]
    assert 0 < low < 10.9 < high  # of the logarithm: a mean ± t·sd would begin at -21
    low, high = summarised([0.2, 0.9, 0.97, 0.99], share=True)["ci95"]
    assert 0 < low < 0.765 < high < 1
    assert summarised([0.4, 1.0, 1.0, 1.0], share=True)["ci95"][1] < 1
    assert formatted(summarised([0.5] * 4), 1) == "0.5 ± 0.0 [0.5, 0.5]"


def test_the_command_writes_its_files(tmp_path):
    result = CliRunner().invoke(main, [
        "staleness", "--devices", "cpu,cpu", "--seeds", "2", "--mitigations",
        "spectrain,v-timeprest", "--set", "minibatches=8", "--set", "batch_size=4", "--out",
        str(tmp_path)])
    assert result.exit_code == 0, result.output
    names = {f"{n}.{e}" for n in ("distances", "curves", "prediction") for e in
             ("png", "svg", "pdf", "csv")}
    assert {p.name for p in tmp_path.iterdir()} == names | {
        "staleness.json", "staleness.md", "targets.csv"}
    report = json.loads((tmp_path / "staleness.json").read_text())
    assert list(report["methods"]) == [FRESH, "spectrain", "v-timeprest, nF1B 2"]
    assert report["seeds"] == [0, 1]
    assert len(report["methods"]["spectrain"]["relative"]["forward"]) == 2
    assert set(report["prediction"]) == {FRESH, "spectrain"}
    assert set(report["prediction"]["spectrain"]) == {"1", "2", "3"}
    rows = list(csv.DictReader((tmp_path / "prediction.csv").open()))
    assert set(rows[0]) == {"method", "seed", "horizon", "update", "stale_rmse",
                            "stale_relative", "predicted_rmse", "predicted_relative"}


@pytest.mark.parametrize(("options", "says"), [
    (["--data", "/nowhere/at/all"], "there is no such directory"),
    (["--mitigations", "stashh"], "did you mean stash?"),
    (["--set", "stages=3", "--devices", "cpu,cpu"], "needs 3 devices, --devices names 2"),
    (["--out", f"{__file__}/x"], "is no folder that can be written to"),
])
def test_a_mistake_is_one_clear_line(options, says):
    result = CliRunner().invoke(main, ["staleness", *options])
    assert result.exit_code == 2
    assert says in result.stderr
    assert "Traceback" not in result.output
