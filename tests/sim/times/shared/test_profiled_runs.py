"""From a profile to a trace: which engine runs it, what refuses it, what the trace then has."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner

import sim
from analysis.advice.advise import advise
from analysis.advice.question import Question
from sim.__main__ import main
from sim.errors import ConfigurationError, TraceError
from sim.experiment.batched import run_many
from sim.experiment.run import run
from sim.op import Op
from sim.times.profile import Profile
from sim.times.shared.machine import SharedMachine
from sim.trace import COLUMNS, Trace
from tests.sim.experiments import experiment, simulate

STAGE = {"forward_s": 0.25, "backward_s": 0.5, "update_s": 0.0625}
PAIRS = [{"stage": k, "op": op, "beside_stage": 1 - k, "beside_op": other, "factor": 1.5}
         for k in (0, 1) for op in "FB" for other in "FB"]
HARDWARE = {"placement": ["gpu", "gpu"], "beside": PAIRS}
LAUNCHES = {"interpreter": ["python", "python"]}
SLOW = {**STAGE, "issue_s": {"F": 0.375, "B": 0.125, "U": 0.0}}
TIMES = {"stages": 2, "minibatches": 6, "task": "none"}


@pytest.fixture
def profile(tmp_path):
    def written(stage=STAGE, **more) -> str:
        path = tmp_path / "profile.json"
        path.write_text(json.dumps({"format": "pipestale-profile", "version": 1,
                                    "stages": [stage] * 2, **more}))
        return str(path)
    return written


def lasting(trace, op, stage):
    return (trace.end_s - trace.start_s)[(trace.op == op) & (trace.stage == stage)]


def test_pairs_slow_the_passes_that_run_side_by_side(profile):
    path = profile(**HARDWARE)
    trace = simulate(**TIMES, profile=path)
    assert trace.asked_s is None
    assert lasting(trace, Op.F, 0)[0] == 0.25  # nobody beside it
    assert lasting(trace, Op.F, 0)[1:].max() > 0.25
    assert set(lasting(trace, Op.U, 1)) == {0.0625}
    same = run(experiment(**TIMES, profile=path), engine="simpy")
    assert np.array_equal(same.end_s, trace.end_s)


def test_pairs_stand_in_for_the_stages_own_factor(profile):
    one = simulate(**TIMES, profile=profile(**HARDWARE))
    both = simulate(**TIMES, profile=profile({**STAGE, "contention_factor": 9.0}, **HARDWARE))
    assert np.array_equal(one.end_s, both.end_s)


@pytest.mark.parametrize("more", [
    {"beside": PAIRS}, {"beside": PAIRS, "placement": ["gpu", "other"]},
    {"interpreter": ["python", "python"]}, {"placement": ["gpu", "gpu"]}])
def test_nothing_shared_leaves_the_exact_engine_to_it(profile, more):
    path = profile(**more)
    asked = experiment(**TIMES, profile=path)
    plain = simulate(**TIMES, profile=profile())
    profile(**more)
    for engine in ("auto", "simpy", "exact"):
        found = run(asked, engine=engine)
        assert np.array_equal(found.end_s, plain.end_s)
        assert found.asked_s is None


def test_launch_times_without_an_interpreter_are_not_used(profile):
    found, plain = (simulate(**TIMES, profile=profile(stage)) for stage in (SLOW, STAGE))
    assert np.array_equal(found.end_s, plain.end_s)


def test_one_factor_a_stage_is_applied_beside_hosts_too(profile):
    slowed = {**STAGE, "issue_s": {"F": 0.0625}, "contention_factor": 3.0}
    trace = simulate(**TIMES, profile=profile(slowed, placement=["gpu", "gpu"], **LAUNCHES))
    assert trace.asked_s is not None
    assert lasting(trace, Op.F, 0).min() > 0.25


def test_a_trace_keeps_when_hosts_asked(profile, tmp_path):
    trace = simulate(**TIMES, profile=profile(SLOW, **LAUNCHES))
    assert (trace.asked_s <= trace.start_s).all()
    assert (trace.issued_s <= trace.end_s).all()
    assert (trace.end_s - trace.start_s)[trace.op == Op.F].max() > 0.25  # waits for its launch
    trace.save(tmp_path / "run.npz")
    again = Trace.load(tmp_path / "run.npz")
    for name in (*COLUMNS, "asked_s", "issued_s"):
        assert np.array_equal(getattr(again, name), getattr(trace, name), equal_nan=True), name


def test_a_data_frame_has_the_columns_of_its_trace(profile):
    pytest.importorskip("pandas")
    trace = simulate(**TIMES, profile=profile(SLOW, **LAUNCHES))
    assert trace.to_pandas()["issued_s"].tolist() == trace.issued_s.tolist()
    assert "issued_s" not in simulate(**TIMES, profile=profile()).to_pandas().columns


def test_a_trace_without_hosts_has_no_such_columns_in_its_file(tmp_path, profile):
    trace = simulate(**TIMES, profile=profile())
    trace.save(tmp_path / "run.npz")
    with np.load(tmp_path / "run.npz") as file:
        assert set(file.files) == {*COLUMNS, "header"}
    assert Trace.load(tmp_path / "run.npz").asked_s is None


@pytest.mark.parametrize(("changed", "said"), [
    ({"issued_s": None}, "columns are missing: issued_s"),
    ({"asked_s": np.zeros(3)}, "column asked_s: 36 rows as op has")])
def test_a_file_with_half_of_the_columns_is_refused(tmp_path, profile, changed, said):
    simulate(**TIMES, profile=profile(SLOW, **LAUNCHES)).save(tmp_path / "run.npz")
    with np.load(tmp_path / "run.npz") as file:
        arrays = {**{name: file[name] for name in file.files}, **changed}
    np.savez(tmp_path / "bad.npz", **{k: v for k, v in arrays.items() if v is not None})
    with pytest.raises(TraceError, match=said):
        Trace.load(tmp_path / "bad.npz")


@pytest.mark.parametrize("engine", ["exact", "exact-plain", "exact-periodic", "exact-compiled"])
def test_exact_engines_refuse_what_is_shared(profile, engine):
    for path in (profile(**HARDWARE), profile(SLOW, **LAUNCHES)):
        with pytest.raises(ConfigurationError, match=r"--engine: exact.*choose auto or simpy"):
            run(experiment(**TIMES, profile=path), engine=engine)


def test_replicas_refuse_what_is_shared(profile):
    path = profile(**HARDWARE)
    with pytest.raises(ConfigurationError, match=r"costs.profile: replicas .* call sim.run"):
        sim.replicas(runs=2, **TIMES, profile=path)


def test_several_workers_are_refused(profile):
    for path in (profile(**HARDWARE), profile(SLOW, **LAUNCHES)):
        with pytest.raises(ConfigurationError, match="known for one worker, got 2 workers"):
            simulate(**TIMES, profile=path, count=2)


def test_greedy_dispatch_takes_pairs_and_refuses_hosts(profile):
    path = profile(**HARDWARE)
    trace = simulate(**TIMES, profile=path, dispatch="greedy")
    assert lasting(trace, Op.F, 0).max() > 0.25
    with pytest.raises(ConfigurationError, match=r"pipeline.dispatch: .*issue_s.*choose static"):
        simulate(**TIMES, profile=profile(SLOW, **LAUNCHES), dispatch="greedy")


def test_a_sweep_and_the_door_run_it_as_a_single_run_does(profile):
    path = profile(SLOW, **HARDWARE, **LAUNCHES)
    asked = experiment(**TIMES, profile=path)
    alone = run(asked)
    ((_, found),) = run_many([asked])
    assert np.array_equal(found.end_s, alone.end_s)
    assert np.array_equal(found.issued_s, alone.issued_s)
    keys = [part for key, value in {**TIMES, "profile": path}.items()
            for part in ("--set", f"{key}={value}")]
    said = CliRunner().invoke(main, ["run", *keys, "--json"])
    assert said.exit_code == 0, said.output
    assert json.loads(said.output)["makespan_s"] == alone.end_s.max()
    refused = CliRunner().invoke(main, ["run", *keys, "--engine", "exact"])
    assert refused.exit_code == 2
    assert "Traceback" not in refused.output


def test_jitter_is_of_the_seconds_alone_and_of_the_instruction(profile):
    keys = {**TIMES, "jitter": {"sigma": 0.3}, "seed": 4}
    plain, shared = (simulate(**keys, profile=profile(**more)) for more in ({}, HARDWARE))
    assert lasting(plain, Op.F, 0)[0] == lasting(shared, Op.F, 0)[0]
    assert (lasting(shared, Op.F, 1) >= lasting(plain, Op.F, 1)).all()


def test_what_a_profile_shares():
    def of(stage=STAGE, **more):
        return SharedMachine.of(Profile.model_validate({
            "format": "pipestale-profile", "version": 1, "stages": [stage] * 2, **more}))

    assert of() is None
    assert of(beside=PAIRS) is None
    assert of(**HARDWARE).factor[(1, 0), (0, 1)] == 1.5
    assert of(**HARDWARE).hosts is None
    hosts = of(SLOW, **LAUNCHES, lock_share=0.5).hosts
    assert hosts.lock_share == 0.5
    assert hosts.issue_s[[Op.F, Op.B, Op.I]].tolist() == [[0.375] * 2, [0.125] * 2, [0.0] * 2]


def test_the_advisor_reckons_with_seconds_alone(profile):
    sized = {"weight_bytes": 10.0, "activation_bytes": 20.0}
    found = []
    for stage, more in (({**SLOW, **sized}, {**HARDWARE, **LAUNCHES}), ({**STAGE, **sized}, {})):
        path = Path(profile(stage, **more))
        rows = advise(Question(path, 1e6, 2, microbatches=[2], backwards=["graph"]))["rows"]
        found.append([{k: v for k, v in row.items() if k != "profile"} for row in rows])
    assert found[0] == found[1]
