"""What an engine cannot do it says, or leaves to the one that can; deadlocks are told alike."""

from __future__ import annotations

import json
from unittest import mock

import numpy as np
import pytest
from click.testing import CliRunner

from analysis.__main__ import main as analysis
from sim.__main__ import main
from sim.errors import ConfigurationError, DeadlockError
from sim.kernels import pairs
from sim.kernels.pairs import NUMBA, NUMPY
from sim.kernels.recurrence import ADVANCE
from sim.order.program import Program
from sim.order.shape import PipelineShape
from sim.times.engines import ENGINES, engine_of, kernels_of
from tests.sim.times.engines import EXACT, assert_equal, needs_numba, times

CROSSED = Program.parse("0F0,0B0,0F1,0B1\n1F1,1B1,1F0,1B0\n", PipelineShape(2, 2))
FULL = {"stages": 3, "minibatches": 6, "activation_bytes": 10.0}


@pytest.mark.parametrize("engine", EXACT)
@pytest.mark.parametrize(("program", "keys"), [
    (CROSSED, {"stages": 2, "minibatches": 2}),
    (None, {**FULL, "activation_limit_bytes": 25.0}),
    (None, {**FULL, "activation_limit_bytes": 9.0})])
def test_deadlocks_are_reported_in_the_same_words(engine, program, keys):
    said = []
    for each in ("simpy", engine):
        with pytest.raises(DeadlockError) as caught:
            times(each, program, **keys)
        said.append(str(caught.value))
    assert said[0] == said[1]


@pytest.mark.parametrize("engine", EXACT)
def test_a_limit_that_holds_changes_nothing(engine):
    keys = {**FULL, "activation_limit_bytes": 30.0}
    assert_equal(times(engine, **keys), times("simpy", **keys))


@pytest.mark.parametrize("engine", ["simpy", *EXACT])
@pytest.mark.parametrize("more", [{}, {"jitter": {"sigma": 3.0}}, {"latency_s": 1e6}])
def test_times_beyond_97_days_are_refused_by_every_engine(engine, more):
    keys = {"stages": 3, "minibatches": 700, "forward_s": [1e6, 0.3, 1e6 / 3],
            "backward_s": [0.1, 1e6 / 7, 1.0], **more}
    with pytest.raises(ConfigurationError, match=r"costs: the run takes .*below 8388608 s \(97 d"):
        times(engine, **keys)


def profiled(tmp_path, forward_s=1.0, **more) -> list[str]:
    """Settings of a run over a profile of two stages, the second of which takes `forward_s`."""
    path = tmp_path / "profile.json"
    stage = {"forward_s": 1.0, "backward_s": 1.0, "weight_bytes": 1.0, "activation_bytes": 1.0,
             "input_bytes": 1.0}
    path.write_text(json.dumps({"format": "pipestale-profile", "version": 1,
                                "stages": [stage, {**stage, "forward_s": forward_s}], **more}))
    return ["--set", f"costs.profile={path}", "--set", "stages=2", "--set", "task=none"]


@pytest.mark.parametrize(("keys", "said"), [
    ({"forward_s": 1e12}, "costs: 1F0 takes 1e+12 s; times are counted exactly"),
    ({"boundary_bytes": [9e14], "bandwidth_bytes_per_s": 1e6, "latency_s": 1.0},
     "cluster: the message of 0F0 takes 9e+08 s; times are counted exactly")])
@pytest.mark.parametrize("door", [
    (main, "run"), (main, "timeline"), (analysis, "steady")], ids=["run", "timeline", "steady"])
def test_a_profile_beyond_97_days_is_refused_by_every_door(tmp_path, keys, said, door):
    found = CliRunner().invoke(door[0], [door[1], *profiled(tmp_path, **keys)])
    assert found.exit_code == 2
    assert said in found.output
    assert found.output.count("\n") == 1


def test_a_period_beyond_97_days_is_refused(tmp_path):
    keys = {"forward_s": 8e6, "latency_s": 0.0}
    found = CliRunner().invoke(analysis, ["steady", *profiled(tmp_path, **keys), "--set",
                                          "microbatches=2", "--set", "schedule=gpipe"])
    assert found.exit_code == 2
    assert "a mini-batch of the endless run takes 1.6e+07 s" in found.output


def test_rows_of_comparisons_say_the_same(tmp_path):
    found = CliRunner().invoke(main, ["compare", "--mitigations", "none", "--json",
                                      *profiled(tmp_path, forward_s=1e12)])
    assert "1F0 takes 1e+12 s" in found.output


def test_workers_exchange_no_longer_than_ticks_count():
    with pytest.raises(ConfigurationError, match=r"workers: the exchange of stage 0 takes"):
        times("auto", task="digits-mlp", minibatches=6, count=2,
              sync_bandwidth_bytes_per_s=1e-6)


def test_exact_refuses_an_order_that_depends_on_time_and_auto_does_not():
    with pytest.raises(ConfigurationError, match=r"--engine: exact .* 'greedy'"):
        times("exact", dispatch="greedy")
    assert np.isfinite(times("auto", dispatch="greedy").end_s).all()


def test_an_engine_unknown_is_refused_with_the_choices():
    with pytest.raises(ValueError, match=r"'fast' is unknown.*; choose from auto, simpy, exact"):
        engine_of("fast", "static")
    assert {"auto", "simpy", "exact"} <= set(ENGINES)


def test_the_door_takes_an_engine_and_ends_with_2_where_it_cannot():
    runner, short = CliRunner(), ["--set", "minibatches=4", "--set", "task=none"]
    outputs = {engine: runner.invoke(main, ["run", *short, "--json", "--engine", engine])
               for engine in ("auto", "simpy", "exact")}
    assert all(each.exit_code == 0 for each in outputs.values())
    assert len({each.output for each in outputs.values()}) == 1
    refused = runner.invoke(main, ["run", *short, "--engine", "exact", "--set", "dispatch=greedy"])
    assert refused.exit_code == 2
    assert "choose auto or simpy" in refused.output
    assert "Traceback" not in refused.output
    assert runner.invoke(main, ["run", "--engine", "magic"]).exit_code == 2


def test_kernels_are_chosen_by_the_rows_of_a_run_and_named_engines_keep_theirs():
    few, many = pairs.FEWEST_ROWS, pairs.ROWS_WORTH_LOADING
    with mock.patch.object(pairs, "loads", return_value=True):
        for name in ("auto", "exact"):
            assert kernels_of(name, many) is kernels_of(name, few, many) is NUMBA
            assert kernels_of(name, many - 1) is kernels_of(name, few - 1, many) is NUMPY
        assert kernels_of("exact-compiled", 1) is NUMBA
        for name in ("simpy", "exact-plain", "exact-periodic"):
            assert kernels_of(name, many) is NUMPY
    with mock.patch.object(pairs, "loads", return_value=False):
        assert kernels_of("auto", many) is NUMPY


@needs_numba
def test_a_run_long_enough_is_compiled_and_a_shorter_one_never():
    keys = {"stages": 3, "minibatches": 8, "jitter": {"sigma": 0.1}}
    reference, rows = times("simpy", **keys), 3 * 3 * 8
    compile_loops, asked = pairs.compile_loops, []

    def compiling(loops):
        asked.append(loops)
        return compile_loops(loops)

    with mock.patch.object(pairs, "compile_loops", compiling):
        with mock.patch.multiple(pairs, FEWEST_ROWS=rows, ROWS_WORTH_LOADING=rows):
            assert_equal(times("auto", **keys), reference)
        assert ADVANCE.loops in asked
        asked.clear()
        for few, many in ((rows + 1, 0), (0, rows + 1)):
            with mock.patch.multiple(pairs, FEWEST_ROWS=few, ROWS_WORTH_LOADING=many):
                assert_equal(times("auto", **keys), reference)
        assert not asked
