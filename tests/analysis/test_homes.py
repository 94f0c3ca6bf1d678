"""What is said of runs in which stages have several homes: where, how much, how fast for ever."""

import json

import numpy as np
import pytest
from click.testing import CliRunner

from analysis.__main__ import main
from analysis.advice.footprint import footprint
from analysis.metrics.report import report
from analysis.metrics.timing import timing
from analysis.terminal.report_tables import report_tables
from analysis.theory.endless import endless, solve
from sim.errors import ConfigurationError
from sim.experiment.machine import load_profile
from tests.analysis.screens import shown
from tests.sim.experiments import experiment, simulate

pytestmark = pytest.mark.filterwarnings("error")  # whatever a door warns of, a user would read

CHIMERA = {"schedule": "chimera", "stages": 4, "microbatches": 4, "minibatches": 3}
HYBRID = {"schedule": "hybrid", "stages": 3, "replicas": [2, 1, 1], "mitigation": "stash"}
SIZES = {"activation_bytes": [5.0, 6.0, 7.0, 8.0], "task": "none"}
PROFILE = {"format": "pipestale-profile", "version": 1, "stages": [
    {"forward_s": 1.0, "backward_s": 2.0, "update_s": 0.0, "weight_bytes": weights,
     "activation_bytes": kept, "input_bytes": 1.0, "workspace_bytes": 0.0}
    for weights, kept in ((100.0, 5.0), (200.0, 6.0), (300.0, 7.0), (400.0, 8.0))]}


def test_a_report_says_where_stages_live_and_what_devices_hold():
    found = report(simulate(**CHIMERA, **SIZES))
    assert found["homes"] == [[0, 3], [1, 2], [1, 2], [0, 3]]
    text = shown(report_tables(found), 80)
    assert "     0  0, 3" in text
    assert "     1  1, 2" in text
    assert "of a stage on several devices" in " ".join(text.split())


def test_versions_of_replicas_are_not_compared_across_stages():
    found = report(simulate(**HYBRID, minibatches=12, task="none"))
    assert found["vertical_inconsistent_fraction"] is None
    assert "versions are not compared" in shown(report_tables(found), 80)


@pytest.mark.parametrize("schedule", ["chimera", "interleaved", "dualpipe"])
@pytest.mark.parametrize("mitigation", ["none", "2bw"])
@pytest.mark.parametrize("backward", ["graph", "recompute"])
def test_an_advisors_bytes_are_those_of_a_run(tmp_path, schedule, mitigation, backward):
    """On devices that have several stages or copies, too."""
    path = tmp_path / "profile.json"
    path.write_text(json.dumps(PROFILE))
    keys = {"schedule": schedule, "stages": 4, "microbatches": 8, "minibatches": 3,
            "chunks": 2 if schedule == "interleaved" else 1, "profile": str(path),
            "mitigation": mitigation, "backward": backward, "task": "none"}
    setup, _ = solve(experiment(**keys))
    program = setup.over(experiment(**keys)).program
    held = footprint(setup.checked_versions(program), load_profile(experiment(**keys)), backward,
                     0.0)
    memory = report(simulate(**keys))["memory"]
    assert held.peak.tolist() == memory["peak_device_bytes"]
    assert held.weights.tolist() == [sum(PROFILE["stages"][k]["weight_bytes"] for k in on)
                                     for on in ({"interleaved": [[0, 2], [1, 3]]}.get(
                                         schedule, [[0, 3], [1, 2], [1, 2], [0, 3]]))]


@pytest.mark.parametrize("copies", ["all-reduce", "apart"])
@pytest.mark.parametrize("sync", [0.0, 0.5])
def test_the_period_of_replicas_is_that_of_a_long_run(copies, sync):
    keys = {**HYBRID, "forward_s": [2.0, 1.0, 0.5], "backward_s": [4.0, 2.0, 2.0], "task": "none",
            "copies": copies, "sync_latency_s": sync}
    found = endless(experiment(**keys))
    rate = timing(simulate(**keys, minibatches=400)).steady_throughput_minibatches_per_s
    assert 1 / found["period_s"] == pytest.approx(rate, rel=0.01)


def test_replicas_that_never_meet_have_no_common_period():
    keys = {"schedule": "hybrid", "stages": 2, "replicas": [2, 2], "task": "none"}
    assert endless(experiment(**keys))["period_s"] == 1.0
    with pytest.raises(ConfigurationError, match="no common period"):
        endless(experiment(**keys, copies="apart"))


def test_every_copy_has_its_counters_on_its_device(tmp_path):
    trace = simulate(**CHIMERA, **SIZES)
    trace.save(tmp_path / "run.npz")
    done = CliRunner().invoke(main, ["export", str(tmp_path / "run.npz"), "--format", "chrome",
                                     "--out", str(tmp_path / "run.json")])
    assert done.exit_code == 0, done.output
    events = json.loads((tmp_path / "run.json").read_text())["traceEvents"]
    found = {(each["name"], each["pid"]) for each in events if each["ph"] == "C"}
    pids = {each["pid"]: each["args"]["name"] for each in events
            if each["ph"] == "M" and each["name"] == "process_name"}
    places = {(name.split()[1], pids[pid]) for name, pid in found if name.endswith("in flight")}
    assert places == {(str(k), f"device {d}") for k, on in enumerate(report(trace)["homes"])
                      for d in on}
    assert np.isfinite([each["ts"] for each in events if "ts" in each]).all()
