"""What a validation's report says: errors beside the machine's own spread, what explains them."""

from copy import deepcopy
from dataclasses import replace

import numpy as np
import pytest
from rich.console import Console

from analysis.validation.findings import misses, step_difference, warnings
from analysis.validation.repeats import deviations, spread
from analysis.validation.report import build, host_s, split_entry
from analysis.validation.split import PARTS, Split
from analysis.validation.terminal import terminal
from analysis.validation.text import markdown
from sim.experiment.compared.validated import Validated
from sim.experiment.configuration import resolve
from sim.experiment.run import run
from sim.header import Measured
from sim.op import Op
from sim.times.profile import Profile, StageProfile
from tests.analysis.test_validation_split import with_host

STAGE = StageProfile(forward_s=1.0, backward_s=1.0, update_s=0.0, resident_bytes=0,
                     workspace_bytes=0)
PROFILE = Profile(format="pipestale-profile", version=1, stages=(STAGE, STAGE),
                  notes={"image_size": 32})
GPU = Measured(settings={}, devices=["cpu", "cpu"], threads=1, clock=[], clock_residual_s=0.0,
               launch_bound_fraction=[None, None], host_s=[0.0, 0.0], peak_bytes=[None, None])
HEAD = {"device": "a machine", "devices": "cpu,cpu", "cores": 2, "load_before": 0.1,
        "date": "2026-11-27", "command": "python -m gpu validate", "repeats": 3}
EXACT = {"order_equal": True, "versions_equal": True, "weights_max_rel": 0.0,
         "weights_noise_floor_rel": 0.0, "weights_limit_rel": 0.0}


def experiment(schedule="sequential", mitigation="none"):
    return resolve({"pipeline": {"stages": 2, "minibatches": 12, "schedule": schedule,
                                 "mitigation": mitigation},
                    "training": {"task": "none", "batch_size": 16}})


def stretched(trace, factor):
    """The same run, everything taking `factor` times as long."""
    return replace(trace, start_s=factor * trace.start_s, end_s=factor * trace.end_s)


def validated(factors, schedule="sequential", **names):
    """A validation whose repeats took so many times as long as predicted; the second is median."""
    predicted = run(experiment(schedule, **names), profile=PROFILE)
    real = replace(predicted, header=replace(predicted.header, gpu=GPU))
    traces = [stretched(real, factor) for factor in factors]
    memory = [{"device": "cpu", "stages": [0, 1], "measured_bytes": 100.0}]
    return Validated(experiment(schedule, **names), "narrow", EXACT, PROFILE, predicted,
                     traces[len(traces) // 2], [t.end_s.max() for t in traces], memory, traces)


def report(*found, **head):
    return build(found, HEAD | head, ["timeprest: needs nF1B"])


def test_repeats_are_compared_with_the_median_one_as_predictions_are():
    found = validated([0.9, 1.0, 1.2])
    apart = spread(found.measured, found.traces)
    assert apart["each"]["step_time_rel"] == pytest.approx([0.1, 0.2])
    assert apart["each"]["event_duration_p95_rel"] == pytest.approx([0.1, 0.2])
    assert apart["step_time_rel"] == pytest.approx(0.15)
    assert apart["event_duration_p95_rel"] == pytest.approx(0.15)
    assert apart["repeats"] == 3


def test_under_three_repeats_there_are_values_and_no_mean():
    two = validated([1.0, 1.1])
    apart = spread(two.measured, two.traces)
    assert apart["step_time_rel"] is None
    assert apart["each"]["step_time_rel"] == pytest.approx([1 - 1 / 1.1])
    assert split_entry(two)["spread"] == dict.fromkeys(PARTS)
    assert split_entry(two)["repeats"]["contention"] == pytest.approx([0, 0.2])
    assert "| 2000.00 / 2000.00, 2000.00 | 0 / 0, 200.00 | " in markdown(report(two))
    one = validated([1.0])
    assert spread(one.measured, one.traces)["each"]["step_time_rel"] == []
    assert not spread(one.measured, [])["each"]["step_time_rel"]


def test_parts_deviate_as_repeats_do():
    splits = [Split(2.0, np.array([[1.0, v, 0.0, 0.0, 1.0 - v]])) for v in (0.1, 0.2, 0.3)]
    found = deviations(splits)
    assert found["contention"] == pytest.approx(0.1)
    assert found["waiting"] == pytest.approx(0.1)
    assert found["compute"] == 0


def test_the_split_stands_predicted_beside_measured():
    found = split_entry(validated([1.4, 1.5, 1.7]))
    assert found["predicted"] == pytest.approx(dict(zip(PARTS, (2, 0, 0, 0, 2), strict=True)))
    assert found["measured"] == pytest.approx(dict(zip(PARTS, (2, 1, 0, 0, 3), strict=True)))
    assert found["largest"] in ("contention", "waiting")
    assert len(found["devices"]["measured"]) == 2
    assert sum(found["devices"]["measured"][0].values()) == pytest.approx(6)


def test_without_the_traces_of_all_repeats_the_report_stands_on_the_median_one():
    entry, = report(replace(validated([1.0, 1.1, 1.2]), traces=[]))["runs"]
    assert entry["spread"]["step_time_rel"] is None
    assert entry["split"]["measured"]["compute"] == pytest.approx(2)


def test_a_host_is_timed_by_operation_where_there_is_one():
    found = validated([1.0])
    assert host_s(found.measured) == {}
    trace, n = found.measured, len(found.measured)
    issued = np.where(trace.op == Op.B, 0.3, 0.2)
    issued[0] = np.nan
    assert host_s(with_host(trace, np.zeros(n), issued)) == {"F": 0.2, "B": 0.3, "U": 0.2}


def test_entries_have_what_doors_name():
    entry, = report(validated([1.0, 1.5, 1.6]))["runs"]
    assert entry["graphs"] is False
    assert entry["host_s"] == {}
    assert entry["critical_path_ratio"] == pytest.approx(1)
    assert entry["split"].keys() >= {"predicted", "measured", "spread", "largest"}
    assert entry["spread"].keys() >= {"step_time_rel", "event_duration_p95_rel"}
    assert entry["events"]["duration_p95_rel"] == {"F": pytest.approx(1 / 3),
                                                   "B": pytest.approx(1 / 3)}
    assert entry["events"]["first_minibatch_s"] == {"predicted": 4.0, "measured": 6.0}


def test_a_miss_says_what_it_is_made_of():
    made = report(validated([1.4, 1.5, 1.6]))
    said = misses(made["runs"][0], made["targets"])
    assert said[0] == ("step time 33.3 % (aim 2 %, repeats differ by 6.67 %): 2000 ms longer than "
                       "predicted, made up of contention +1000 ms and waiting +1000 ms")
    assert "by operation F 33.3 %, B 33.3 %; without the first mini-batch 33.3 %" in said[1]
    assert "the first mini-batch was done after 6000 ms, 4000 ms predicted" in said[2]
    fine = report(validated([1.0, 1.0, 1.0]))["runs"][0]
    assert not [each for each in misses(fine, made["targets"]) if "memory" not in each]
    assert step_difference(fine) == "every part of a step is as predicted"


def test_the_warning_comes_first_and_only_where_there_is_one():
    calm = report(validated([0.999, 1.0, 1.001]))
    assert warnings(calm) == []
    assert "Warning" not in markdown(calm)
    busy = report(validated([0.999, 1.0, 1.001]), load_before=3.7)
    page = markdown(busy)
    assert page.splitlines()[2].startswith("> **Warning.** The machine was busy")
    assert "3.7 on 2 cores" in page.splitlines()[2]
    assert shown(busy).startswith("Warning: The machine was busy")
    shaky = warnings(report(validated([0.8, 1.0, 1.3])))
    assert len(shaky) == 1
    assert "step time" in shaky[0]


def test_the_page_holds_the_split_and_the_spread():
    page = markdown(report(validated([1.4, 1.5, 1.7]), validated([1.0, 1.02, 1.05],
                                                                 mitigation="stash")))
    assert "| none@sequential, batch 16, 32 px | 2000.00 / 2000.00 ± 0 | 0 / 1000.00" in page
    assert "33.3 % / 10 % | 33.3 % / 10 %" in page
    assert "the largest difference is " in page
    assert "- Left out: timeprest: needs nF1B" in page
    rows = [line for line in page.splitlines() if line.startswith("|")]
    assert {line.count("|") for line in rows if "@" in line} == {7, 8, 11}


def shown(made, width=80):
    screen = Console(width=width, color_system=None)
    with screen.capture() as captured:
        for each in terminal(made, width):
            screen.print(each)
    return captured.get()


@pytest.mark.parametrize("factors", [[1.4, 1.5, 1.7], [20.0, 1.0, 14.0], [1.0]])
@pytest.mark.parametrize("width", [80, 100, 200])
def test_the_terminal_fits_its_columns_and_cuts_no_number(factors, width):
    made = report(validated(factors, "round-robin", mitigation="spectrain-stashed"),
                  validated(factors), load_before=9.9)
    for run_ in made["runs"]:
        for side in ("predicted", "measured"):
            run_["split"][side] = dict.fromkeys(PARTS, 1.23456789)
        run_["split"]["spread"] = dict.fromkeys(PARTS, 0.54321)
    text = shown(made, width)
    assert "…" not in text
    assert max(map(len, text.splitlines())) <= width
    assert "@round-robin" in text
    assert sum(line.startswith("none@") for line in text.splitlines()) == 2 * (width == 200)
    assert text.count("1234.57") == 2 * 2 * len(PARTS)
    assert text.count("543.21") == 2 * len(PARTS)
    for run_ in made["runs"]:
        assert f"{100 * run_['statistical']['step_time_rel_error']:.1f} %" in text


def test_a_report_of_one_run_without_repeats_is_told_too():
    made = report(validated([1.5]))
    assert "–" in shown(made)
    assert "| 33.3 % / – |" in markdown(made)
    broken = deepcopy(made)
    broken["runs"][0]["graphs_why"] = "its shapes change"
    assert "Not captured: none@sequential, batch 16, 32 px: its shapes change" in markdown(broken)
    assert "not captured:" in shown(broken)


def test_runs_of_several_networks_and_of_the_same_name_are_told_apart():
    one, other = validated([1.0]), replace(validated([1.5]), model="vgg16")
    made = report(one, other, other)
    assert made["model"] == "narrow, vgg16"
    assert [(run_["model"], run_["label"]) for run_ in made["runs"]] == [
        ("narrow", "none@sequential, narrow, batch 16, 32 px"),
        ("vgg16", "none@sequential, vgg16, batch 16, 32 px"),
        ("vgg16", "none@sequential, vgg16, batch 16, 32 px, 2")]
    assert made["runs"][0]["statistical"]["kendall_tau"] is None
    text = shown(made)
    assert max(map(len, text.splitlines())) <= 80
    assert "\nvgg16 " in text
    assert report(one)["runs"][0]["label"] == "none@sequential, batch 16, 32 px"
