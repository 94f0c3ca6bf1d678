"""Systems by name: each runs, learns, and does what its paper says of versions and time."""

import json

import numpy as np
import pytest
from click.testing import CliRunner

from analysis.comparison.compare import merge
from analysis.comparison.systems import stable_rates, system_row, system_run
from analysis.metrics.convergence import convergence
from analysis.metrics.report import report
from analysis.theory.system_edge import stable_rate
from sim.__main__ import main
from sim.errors import ConfigurationError
from sim.experiment.compared.entrant import entrants
from sim.experiment.configuration import resolve
from sim.experiment.run import run
from sim.experiment.systems import SYSTEMS

NAMED = {"single-gpu", "model-parallel", "data-parallel", "pipeline-split", "gpipe",
         "megatron-1f1b", "megatron-interleaved", "pipedream", "pipedream-vsync", "pipedream-2bw",
         "vanilla-async", "spectrain", "spectrain-stashed", "nwpt", "timeprest", "v-timeprest",
         "i-timeprest", "hetpipe", "bmuf", "data-parallel-scaled", "data-parallel-strong",
         "pipedream-hybrid"}
FRESH = ["single-gpu", "model-parallel", "data-parallel", "data-parallel-scaled", "pipeline-split",
         "gpipe", "megatron-1f1b", "megatron-interleaved", "bmuf"]
SMALL = {"pipeline": {"minibatches": 24}, "training": {"width": 8, "batch_size": 16}}
EVERY = pytest.mark.parametrize("name", SYSTEMS.names())


def trace_of(name, stages=3, **training):
    document = {"pipeline": SMALL["pipeline"] | {"stages": stages},
                "training": SMALL["training"] | training}
    return run(as_system(name, resolve(document)))


def as_system(name, base):
    return base.changed(SYSTEMS[name].changes(base))


def test_every_system_of_the_papers_is_there():
    assert set(SYSTEMS.names()) >= NAMED


@EVERY
@pytest.mark.parametrize("stages", [1, 2, 3, 4, 8])
def test_every_system_learns_digits(name, stages):
    if (name, stages) == ("data-parallel-strong", 3):
        with pytest.raises(ConfigurationError, match="3 workers share a mini-batch equally"):
            trace_of(name, stages)
        return
    trace = trace_of(name, stages)
    assert trace.header.training.diverged_at is None
    loss = trace.curves["minibatch_loss"]
    assert np.isfinite(loss).all()
    assert trace.shape.minibatches >= 24
    assert SYSTEMS[name].rule
    assert SYSTEMS[name].source


def test_systems_without_staleness_learn_the_same_network():
    """Those that see one mini-batch per update and are never late differ by rounding alone."""
    names = [name for name in FRESH if as_system(name, resolve(SMALL)).workers.count == 1]
    assert len(names) == 6
    losses = [trace_of(name, 4).header.training.final_loss
              for name in (*names, "data-parallel-strong")]
    assert np.allclose(losses, losses[0], rtol=1e-12, atol=0)


@pytest.mark.parametrize("name", FRESH)
def test_nothing_is_late_where_a_pipeline_flushes(name):
    assert report(trace_of(name))["staleness"]["max"] == 0


@pytest.mark.parametrize(("name", "forward", "backward"), [
    ("vanilla-async", [3, 2, 1, 0], [0, 0, 0, 0]),
    ("pipedream", [3, 2, 1, 0], [3, 2, 1, 0]),
    ("pipedream-vsync", [3, 3, 3, 3], [3, 3, 3, 3]),
    ("pipedream-2bw", [1, 1, 1, 1], [1, 1, 1, 1]),
    ("hetpipe", [1, 0], [1, 0]),  # on two stages a worker
    ("pipedream-hybrid", [1.5, 1, 0], [1.5, 1, 0]),  # rounds of two on the first of three stages
    ("v-timeprest", [1.5, 1, 0.5, 0], [0, 0, 0, 0]),
])
def test_staleness_by_stage_is_the_papers(name, forward, backward):
    late = report(trace_of(name, 4))["staleness"]
    if name == "v-timeprest":  # from its published gap ⌈(2(S−1−k) − j)/n⌉, averaged over j
        n = 4
        forward = [np.mean([max(0, np.ceil((2 * (3 - k) - j) / n)) for j in range(n)])
                   for k in range(4)]
    assert late["forward"] == pytest.approx(forward)
    assert late["backward"] == pytest.approx(backward)


@pytest.mark.parametrize(("name", "makespan"), [
    # 24 mini-batches of 3+3 stage seconds, cut into 4 where the system cuts
    ("single-gpu", 24 * 6), ("model-parallel", 24 * 6), ("data-parallel", 24 * 6 / 3),
    ("pipeline-split", 24 * 2 * (4 + 2) / 4), ("megatron-1f1b", 24 * 2 * (4 + 2) / 4),
    ("gpipe", 24 * 3 * (4 + 2) / 4), ("megatron-interleaved", 24 * 2 * (2 * 4 + 2) / 8),
    ("pipedream", 24 * 2 + 4), ("bmuf", 24 * 6 / 3),
    ("pipedream-hybrid", 24 * 2 + 4),  # two devices on 4 s of work, one on 2 s
])
def test_makespans_are_the_closed_forms(name, makespan):
    document = {"pipeline": SMALL["pipeline"],
                "training": SMALL["training"] | {"task": "none", "batch_size": 16}}
    trace = run(as_system(name, resolve(document)))
    assert trace.end_s.max() == makespan


def test_costs_of_every_stage_are_shared_out_whatever_the_cut():
    """Each system spends the same seconds of device time on a mini-batch, recompute aside."""
    base = resolve({"pipeline": {"stages": 4, "minibatches": 24}, "costs": {
        "forward_s": [1.0, 2.0, 4.0, 0.5], "backward_s": [2.0, 0.5, 1.0, 0.5], "update_s": 0.0},
        "training": {"task": "none", "batch_size": 16}})
    for system in SYSTEMS:
        experiment = as_system(system.name, base)
        trace = run(experiment)
        again = 7.5 if system.name == "gpipe" else 0.0
        whole = trace.shape.minibatches * experiment.training.batch_size / 16
        busy = (trace.end_s - trace.start_s).sum() / whole
        assert busy == pytest.approx(11.5 + again, rel=1e-6), system.name


def test_systems_have_the_same_devices_but_for_one_that_is_marked():
    for stages in (2, 3, 4):
        base = resolve({"pipeline": {"stages": stages, "minibatches": 24},
                        "training": {"task": "none", "batch_size": 24}})
        for system in SYSTEMS:
            devices = as_system(system.name, base).shape.devices
            expected = {"single-gpu": 1, "hetpipe": stages if stages % 2 == 0 else 2 * stages}
            assert devices == expected.get(system.name, stages), system.name
    assert "twice the devices" in SYSTEMS["hetpipe"].reading


def test_as_many_neighbours_make_one_stage_as_it_has_replicas():
    base = resolve({"pipeline": {"stages": 4, "minibatches": 24}, "costs": {
        "forward_s": [1.0, 2.0, 4.0, 0.5], "backward_s": [2.0, 0.5, 1.0, 0.5]},
        "cluster": {"boundary_bytes": [1, 2, 3], "activation_bytes": [10, 20, 30, 40]},
        "training": {"task": "none", "batch_size": 16}})
    (entrant,) = entrants("pipedream-hybrid:replicas=3")
    found = base.changed(entrant.changes(base))
    assert found.pipeline.replicas == [3, 1]
    assert found.costs.forward_s == [7.0, 0.5]
    assert found.costs.backward_s == [3.5, 0.5]
    assert found.cluster.boundary_bytes == [3]
    assert found.cluster.activation_bytes == [60, 40]
    for strange in ("replicas=5", "replicas=0", "replicas=true", "replicas=1.5"):
        (entrant,) = entrants(f"pipedream-hybrid:{strange}")
        with pytest.raises(ConfigurationError, match="has 1 to 4 replicas"):
            entrant.changes(base)
    (entrant,) = entrants("pipedream-hybrid:repliacs=2")
    with pytest.raises(ConfigurationError, match="did you mean replicas"):
        entrant.changes(base)


def test_the_shallower_pipeline_has_the_bytes_of_the_stages_it_joins():
    base = resolve({"pipeline": {"stages": 4, "minibatches": 24}, "training": {"task": "none"},
                    "cluster": {"activation_bytes": [1.0, 2.0, 3.0, 4.0],
                                "boundary_bytes": [10.0, 20.0, 30.0]}})
    sizes = run(as_system("hetpipe", base)).header.sizes
    assert sizes.activation_bytes == [3.0, 7.0]
    assert sizes.boundary_bytes == [20.0]


def test_shares_of_a_mini_batch_are_counted_as_whole_ones():
    """Four workers with a quarter each: one worker's learning, and rates by the closed form."""
    base = resolve({"pipeline": {"stages": 4, "minibatches": 40}, "training": {
        "width": 8, "batch_size": 16, "evaluate_every": 2, "layers": 4, "learning_rate": 0.2}})
    chosen = entrants("single-gpu,data-parallel-strong,data-parallel-scaled")
    single, strong, scaled = (system_run(base, each, 0, 0.2) for each in chosen)
    for name in ("minibatches_to_target", "epochs_to_target", "validation_loss",
                 "accuracy_fluctuation"):
        assert strong[name] == pytest.approx(single[name], rel=1e-9), name
    assert strong["throughput_minibatches_per_s"] == pytest.approx(
        4 * single["throughput_minibatches_per_s"], rel=1e-6)
    assert strong["seconds_to_target"] == pytest.approx(single["seconds_to_target"] / 4, rel=1e-6)
    weights = run(as_system("data-parallel-strong", base)).header.sizes.weight_bytes[0]
    assert strong["memory"]["link_bytes_per_minibatch"] == pytest.approx(2 * 3 * weights)
    assert (single["batch_size"], strong["batch_size"], scaled["batch_size"]) == (16, 4, 16)
    assert as_system("data-parallel-scaled", base).training.learning_rate == 0.8


def test_a_curve_has_its_validation_loss_and_fluctuation_in_the_report():
    found = report(trace_of("single-gpu", evaluate_every=2))
    assert found["accuracy_fluctuation"] > 0
    assert found["validation_loss"] > 0
    assert report(trace_of("single-gpu"))["accuracy_fluctuation"] is None


def test_parameters_go_to_the_mitigation_or_to_the_workers():
    chosen = entrants("i-timeprest:decay=2,hetpipe:distance=3,bmuf:block=2:momentum=0.5")
    base = resolve(SMALL)
    first, second, third = (base.changed(each.changes(base)) for each in chosen)
    assert first.pipeline.mitigation == {"name": "i-timeprest", "decay": 2}
    assert second.workers.combine == {"name": "wave", "distance": 3}
    assert third.workers.combine["block"] == 2
    with pytest.raises(ConfigurationError, match="gpipe has no parameter 'decay'"):
        entrants("gpipe:decay=1")[0].changes(base)


@pytest.mark.parametrize(("text", "said"), [
    ("gpip", r"system 'gpip' is unknown \(did you mean gpipe\?\); choose from"),
    ("", "name at least one"),
    ("gpipe:x", "write SYSTEM")])
def test_what_is_wrong_with_the_names_is_said(text, said):
    with pytest.raises(ConfigurationError, match=said):
        entrants(text)


def test_a_system_that_is_refused_is_a_row_with_its_reason():
    base = resolve({"pipeline": {"minibatches": 6}, "training": {"layers": 3, "width": 4}})
    row = system_row(base, entrants("megatron-interleaved")[0], [0], 0.9)
    assert row["system"] == "megatron-interleaved"
    assert "3 layers and 6 stages" in row["refused"]


def test_convergence_is_read_off_the_curves():
    trace = trace_of("single-gpu", evaluate_every=2)
    accuracy = trace.curves["accuracy"]
    target = float(accuracy[3])
    found = convergence(trace, target)
    first = int(np.argmax(accuracy >= target))
    assert found["minibatches_to_target"] == 2 * (first + 1)
    assert found["epochs_to_target"] == 2 * (first + 1) * 16 / 1437
    assert found["seconds_to_target"] == 6 * 2 * (first + 1)
    assert found["accuracy_fluctuation"] == pytest.approx(np.std(accuracy[-3:], ddof=1))
    assert convergence(trace, 1.1)["minibatches_to_target"] is None


@pytest.mark.parametrize(("name", "edge"), [
    # heavy ball 0.9: without delay 2(1+γ); delays of 1 and of the deepest stage by root location
    ("single-gpu", 3.8), ("gpipe", 3.8), ("data-parallel", 3.8), ("pipedream-2bw", 0.1),
])
def test_the_stable_rate_is_the_theorys(name, edge):
    base = resolve({"training": {"convention": "heavy-ball"}})
    assert stable_rate(base, entrants(name)[0].changes(base)) == pytest.approx(edge, rel=0.02)


@pytest.mark.parametrize(("replicas", "edge"), [
    # w − ηλ(w₋₁ + w₋₂)/2, a replica's update being one later than the other's: 2 tan(π/8);
    # of four replicas three are one update late: z² − z + ηλ(3 + z)/4 leaves the circle at 4/3
    (2, 2 * np.tan(np.pi / 8)), (4, 4 / 3)])
def test_the_stable_rate_of_replicas_is_that_of_their_mean_gradient(replicas, edge):
    base = resolve({"pipeline": {"stages": 4},
                    "training": {"convention": "heavy-ball", "momentum": 0.0}})
    (entrant,) = entrants(f"pipedream-hybrid:replicas={replicas}")
    assert stable_rate(base, entrant.changes(base)) == pytest.approx(edge, rel=1e-4)


def test_the_stable_rate_of_a_pipeline_is_that_of_its_deepest_stage():
    from analysis.theory.recurrence import DelayedTraining
    from analysis.theory.stability import edge

    base = resolve({"pipeline": {"stages": 4}})
    expected = edge(DelayedTraining("stash", 3, 0.9, "ema"))
    changes = entrants("pipedream")[0].changes(base)
    assert stable_rate(base, changes) == pytest.approx(expected, rel=0.02)


@pytest.mark.parametrize(("decay", "edge"), [
    ("1", 2.718), ("inf", 38.0), pytest.param("0", 0.6816, marks=pytest.mark.verify),
    pytest.param("3", 20.09, marks=pytest.mark.verify)])
def test_recomputing_shows_what_an_interpolation_does_for_stability(decay, edge):
    """Under `graph` the quadratic's gradient takes the forward's weights whatever the decay."""
    base = resolve({"pipeline": {"stages": 4}, "training": {"batch_size": 28}})
    found = stable_rates(base, entrants(f"i-timeprest:decay={decay}")[0])
    assert found["largest_stable_rate"] == pytest.approx(0.6816, rel=1e-3)
    assert found["largest_stable_rate_recompute"] == pytest.approx(edge, rel=1e-3)


def test_bmuf_is_stable_far_beyond_what_it_is_with_velocities_that_live_on():
    base = resolve({"pipeline": {"stages": 4}})
    reset, kept = (stable_rate(base, each.changes(base)) for each in
                   entrants("bmuf,bmuf:reset=false"))
    assert reset == pytest.approx(29.07, rel=1e-3)
    assert kept == pytest.approx(0.0517, rel=1e-2)


def test_the_door_prints_every_system_and_none_is_refused():
    result = CliRunner().invoke(main, ["compare", "--systems", "all", "--json", "--set",
                                       "minibatches=6", "--set", "width=4",
                                       "--set", "batch_size=24"])
    assert result.exit_code == 0, result.output
    rows = json.loads(result.stdout)
    assert {row["system"] for row in rows} >= NAMED
    assert [row["refused"] for row in rows if row["refused"]] == []
    shown = CliRunner().invoke(main, ["compare", "--systems", "gpipe,hetpipe", "--set",
                                      "minibatches=6", "--set", "width=4"])
    assert shown.exit_code == 0
    assert "[choice] hetpipe" in shown.output


def test_a_target_of_nothing_is_met_by_the_first_evaluation():
    result = CliRunner().invoke(main, ["compare", "--systems", "single-gpu", "--target", "0",
                                       "--json", "--set", "minibatches=20", "--set", "width=4"])
    row = json.loads(result.stdout)[0]
    assert (row["target_accuracy"], row["minibatches_to_target"]) == (0, 1)


def test_the_door_lists_systems_with_rule_and_source():
    listed = json.loads(CliRunner().invoke(main, ["list", "--json"]).stdout)["systems"]
    assert {each["name"] for each in listed} >= NAMED
    assert all(each["rule"] and each["source"] for each in listed)


def test_merging_keeps_what_is_not_averaged():
    reports = [report(trace_of("hetpipe"))]
    assert merge(reports, [0])["workers"]["count"] == 2


@pytest.mark.parametrize(("batch", "cut"), [(512, 4), (30, 5), (33, 11), (16, 4), (13, 13)])
def test_a_system_cuts_a_mini_batch_into_four_micro_batches_a_stage_at_most(batch, cut):
    experiment = resolve({"pipeline": {"stages": 4}, "training": {"batch_size": batch}})
    changes = SYSTEMS["gpipe"].changes(experiment)
    assert changes["pipeline"]["microbatches"] == cut


@pytest.mark.parametrize("batch", [509, 3, 2 * 257])
def test_a_mini_batch_that_only_cuts_into_single_images_is_refused(batch):
    experiment = resolve({"pipeline": {"stages": 4}, "training": {"batch_size": batch}})
    with pytest.raises(ConfigurationError, match="not cut into 4 to 16 equal micro-batches"):
        SYSTEMS["gpipe"].changes(experiment)
    as_asked = experiment.changed(microbatches=batch)
    assert SYSTEMS["gpipe"].changes(as_asked)["pipeline"]["microbatches"] == batch
