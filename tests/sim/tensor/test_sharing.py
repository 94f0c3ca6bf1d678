"""Stages shared by several devices: seconds and bytes reckoned by hand, in every engine."""

from __future__ import annotations

import json

import numpy as np
import pytest
from click.testing import CliRunner
from hypothesis import given, settings
from hypothesis import strategies as st

import analysis
from analysis.theory.endless import endless
from sim.__main__ import main
from sim.errors import ConfigurationError
from sim.experiment.run import run
from sim.experiment.setup import VirtualSetup
from sim.hints import hints
from sim.op import Op
from sim.tensor.exchanges import Exchanges
from sim.tensor.stages import Splitting, split_profile, transformer_share
from sim.times.cluster import Link
from sim.times.profile import Profile, write_profile
from tests.sim.experiments import TIMES, experiment, simulate
from tests.sim.test_costs import lasting

pytestmark = pytest.mark.filterwarnings("error")

# 4 devices, α = 1/8 s, β = 64 B/s: an all-reduce of 128 B takes 2·3·(1/8) + 2·3/4·128/64 = 15/4 s
RING = {"ways": 4, "ring_latency_s": 0.125, "ring_bandwidth_bytes_per_s": 64.0,
        "all_reduce_bytes": 128.0}
ONCE = 3.75
ROW = {"schedule": "1f1b", "stages": 2, "minibatches": 3, "microbatches": 4, "forward_s": 2.0,
       "backward_s": [6.0, 3.0], "update_s": 1.0, **TIMES}
STAGES = [{"forward_s": 2.0, "backward_s": 6.0, "update_s": 1.0, "weight_bytes": 800.0,
           "activation_bytes": 480.0, "input_bytes": 64.0, "all_reduces": {"F": 4, "B": 2},
           "all_reduce_bytes": {"F": 512.0, "B": 128.0}},
          {"forward_s": 4.0, "backward_s": 4.0, "update_s": 1.0, "weight_bytes": 1600.0,
           "activation_bytes": 240.0, "input_bytes": 32.0, "all_reduces": {"F": 1},
           "all_reduce_bytes": {"F": 64.0}}]
MEASURED = Profile.model_validate({"format": "pipestale-profile", "version": 1, "stages": STAGES,
                                   "boundary_bytes": (32.0,)})


def test_a_pass_takes_its_part_and_its_exchanges():
    trace = simulate(**ROW, **RING, forward_all_reduces=[1, 2], backward_all_reduces=[3, 0])
    assert lasting(trace, Op.F)[:, 0].tolist() == [0.5 + ONCE, 0.5 + 2 * ONCE]
    assert lasting(trace, Op.B)[:, 0].tolist() == [1.5 + 3 * ONCE, 0.75]
    updates = trace.op == Op.U
    assert (trace.end_s - trace.start_s)[updates].tolist() == [0.25] * 6


def test_a_layers_two_each_way_are_what_is_not_said():
    trace = simulate(**ROW, **RING)
    assert (lasting(trace, Op.F) == 0.5 + 2 * ONCE).all()
    assert lasting(trace, Op.B)[:, 0].tolist() == [1.5 + 2 * ONCE, 0.75 + 2 * ONCE]


def test_the_input_half_has_the_backwards_exchanges():
    halves = simulate(**ROW | {"schedule": "zb-h1"}, **RING, input_backward_s=[4.0, 2.0])
    assert lasting(halves, Op.I)[:, 0].tolist() == [1 + 2 * ONCE, 0.5 + 2 * ONCE]
    assert lasting(halves, Op.W)[:, 0].tolist() == [0.75, 0.375]


@pytest.mark.parametrize("again", ["graph", "recompute"])
def test_a_forward_run_again_exchanges_again(again):
    trace = simulate(**ROW, **RING, backward=again)
    more = (0.5 + 2 * ONCE) * (again == "recompute")
    assert lasting(trace, Op.B)[:, 0].tolist() == [1.5 + 2 * ONCE + more, 0.75 + 2 * ONCE + more]


def test_a_pair_has_the_exchanges_of_both():
    keys = {"schedule": "dualpipev", "stages": 4, "chunks": 2, "minibatches": 1, "microbatches": 4,
            "overlapped_s": 2.0, **TIMES}
    costs = VirtualSetup.of(experiment(**keys, **RING)).costs
    assert costs.overlapped_s is not None
    assert costs.overlapped_s.tolist() == [0.5 + 4 * ONCE] * 4


def test_letters_of_a_layout_say_how_many_there_are():
    costs = {letter: {"forward_s": 4.0, "backward_s": 4.0} for letter in "EtL"}
    trace = simulate(schedule="1f1b", microbatches=2, minibatches=2, layout="E|ttt|L",
                     per_layer=costs, **RING, **TIMES)
    assert lasting(trace, Op.F)[:, 0].tolist() == [1.0, 3 + 6 * ONCE, 1.0]


def test_letters_may_name_their_own():
    costs = {"E": {"forward_s": 4.0, "backward_s": 4.0},
             "t": {"forward_s": 4.0, "backward_s": 4.0, "all_reduces": {"F": 1.0, "B": 3.0},
                   "all_reduce_bytes": {"F": 128.0, "B": 384.0}}}
    ring = {key: value for key, value in RING.items() if key != "all_reduce_bytes"}
    trace = simulate(schedule="1f1b", microbatches=2, minibatches=2, layout="Et|tt",
                     per_layer=costs, **ring, **TIMES)
    assert lasting(trace, Op.F)[:, 0].tolist() == [2 + ONCE, 2 + 2 * ONCE]
    assert lasting(trace, Op.B)[:, 0].tolist() == [2 + 3 * ONCE, 2 + 6 * ONCE]


@pytest.mark.parametrize("engine", ["simpy", "exact"])
def test_the_pipeline_of_shared_stages_by_hand(engine):
    """One mini-batch of 1F1B on equal stages: (M + P − 1) of a forward and a backward."""
    keys = {"schedule": "1f1b", "stages": 3, "minibatches": 1, "microbatches": 5, **TIMES, **RING}
    trace = run(experiment(**keys, forward_all_reduces=1), engine=engine)
    assert trace.end_s.max() == 7 * (0.25 + 0.25 + 2 * ONCE)
    same = simulate(schedule="1f1b", stages=3, minibatches=1, microbatches=5, **TIMES,
                    forward_s=0.25 + ONCE, backward_s=0.25 + ONCE)
    assert np.array_equal(trace.start_s, same.start_s)


@given(st.integers(0, 2**32 - 1))
@settings(max_examples=12, deadline=None)
def test_every_engine_runs_what_the_formula_makes_of_stages(seed):
    """Shared stages run as unshared ones of the seconds and bytes reckoned here."""
    rng = np.random.default_rng(seed)
    stages = int(rng.integers(1, 5))
    whole = {name: (rng.integers(1, 64, stages) / 16).tolist()
             for name in ("forward_s", "backward_s", "update_s", "input_backward_s")}
    ways = rng.integers(1, 5, stages)
    alpha, beta = float(rng.integers(0, 8)) / 64, float(2 ** rng.integers(3, 9))
    number, size = rng.integers(0, 4, (2, stages)), rng.integers(0, 64, stages).astype(float)
    keys = {"schedule": str(rng.choice(["1f1b", "zb-h1", "gpipe"])), "stages": stages,
            "minibatches": 2, "microbatches": int(rng.integers(1, 5)), "latency_s": 0.0625,
            "boundary_bytes": 4.0, "bandwidth_bytes_per_s": 32.0,
            "backward": str(rng.choice(["graph", "recompute"])), **TIMES}
    once = [2 * (p - 1) * alpha + 2 * (p - 1) / p * b / beta for p, b in zip(ways, size,
                                                                             strict=True)]
    own = {"forward_s": [f / p + n * e for f, p, n, e in zip(
               whole["forward_s"], ways, number[0], once, strict=True)],
           "backward_s": [b / p + n * e for b, p, n, e in zip(
               whole["backward_s"], ways, number[1], once, strict=True)],
           "input_backward_s": [i / p + n * e for i, p, n, e in zip(
               whole["input_backward_s"], ways, number[1], once, strict=True)],
           "weight_backward_s": [b / 2 / p for b, p in zip(whole["backward_s"], ways, strict=True)],
           "update_s": [u / p for u, p in zip(whole["update_s"], ways, strict=True)]}
    shared = experiment(**keys, **whole, ways=ways.tolist(), ring_latency_s=alpha,
                        ring_bandwidth_bytes_per_s=beta, all_reduce_bytes=size.tolist(),
                        forward_all_reduces=number[0].tolist(),
                        backward_all_reduces=number[1].tolist())
    expected = run(experiment(**keys, **own), engine="simpy").end_s
    for engine in ("simpy", "exact"):
        found = run(shared, engine=engine).end_s
        assert np.abs(found - expected).max() <= len(found) * 2.0**-30  # sums rounded elsewhere
    assert np.array_equal(run(shared, engine="simpy").end_s, run(shared, engine="exact").end_s)


def test_the_endless_run_has_the_exchanges_too():
    given = experiment(**ROW | {"schedule": "round-robin", "microbatches": 1}, **RING)
    assert endless(given)["period_s"] == 0.5 + 1.5 + 4 * ONCE + 0.25


def test_stages_may_be_shared_by_unlike_numbers_of_devices():
    trace = simulate(**ROW, **RING | {"ways": [1, 4]}, boundary_bytes=100.0, activation_bytes=170.0)
    assert lasting(trace, Op.F)[:, 0].tolist() == [2.0, 0.5 + 2 * ONCE]
    sizes = trace.header.sizes
    assert sizes.boundary_bytes == [100.0]  # every link carries all of it
    assert sizes.activation_bytes == [170.0, 170 * (10 + 24 / 4) / 34]
    assert analysis.report(trace)["tensor"] == {"ways": [1, 4], "devices": 5}
    plain = simulate(**ROW)
    assert analysis.report(plain)["tensor"] is None


def test_bytes_split_as_a_transformers_do():
    """s = 8, h = 16, a = 4: 34 + 5·4·8/16 = 44 parts of a layer, on 2 devices 10 + 12 + 5."""
    sizes = {"heads": 4, "sequence": 8, "hidden": 16}
    keys = {**ROW, "ways": 2, "activation_bytes": 44.0, "boundary_bytes": 10.0}
    assert transformer_share(**sizes) == (24 + 10) / 44
    held = simulate(**keys, transformer=sizes).header.sizes
    assert held.activation_bytes == [pytest.approx(27.0, rel=1e-15)] * 2
    assert held.boundary_bytes == [10.0]
    parallel = simulate(**keys, transformer=sizes, sequence_parallel=True).header.sizes
    assert parallel.activation_bytes == [22.0, 22.0]
    assert parallel.boundary_bytes == [5.0]
    again = simulate(**keys, split_share=0.5, backward="recompute").header.sizes
    assert again.activation_bytes == [0.0, 10.0]  # inputs alone are kept, whole on each device
    assert again.recomputed_bytes == [33.0, 33.0]


def test_messages_of_unlike_stages_are_as_large_as_the_fewer_devices_make_them():
    sent = Splitting(sequence_parallel=True).sent(np.array([2, 8, 4]))
    assert sent.tolist() == [1 / 2, 1 / 4]


def test_the_numbers_of_a_profile_count_unless_others_are_given(tmp_path):
    write_profile(MEASURED, tmp_path / "p.json")
    keys = {"schedule": "1f1b", "stages": 2, "minibatches": 1, "microbatches": 2, **TIMES,
            "profile": str(tmp_path / "p.json"), "ways": 4, "ring_latency_s": 0.125,
            "ring_bandwidth_bytes_per_s": 64.0}
    trace = simulate(**keys)
    assert lasting(trace, Op.F)[:, 0].tolist() == [0.5 + 4 * ONCE, 1 + 0.75 + 1.5 * 64 / 64]
    assert lasting(trace, Op.B)[:, 0].tolist() == [1.5 + 2 * 0.75 + 1.5 * 128 / 64, 1.0]
    assert trace.header.sizes.weight_bytes == [200.0, 400.0]
    fewer = simulate(**keys, forward_all_reduces=2)
    assert lasting(fewer, Op.F)[:, 0].tolist() == [0.5 + 2 * ONCE, 1 + 2 * (0.75 + 1.5)]


@pytest.mark.parametrize("parallel", [False, True])
@pytest.mark.parametrize("backward", ["graph", "recompute"])
def test_a_profile_split_beforehand_runs_as_one_that_is_split_by_the_table(
        parallel, backward, tmp_path):
    ring, ways = Link(0.125, 64.0), [4, 2]
    exchanges = Exchanges.measured(MEASURED.stages)
    assert exchanges is not None
    how = Splitting(ring, sequence_parallel=parallel)
    keys = {"schedule": "zb-h1", "stages": 2, "minibatches": 2, "microbatches": 2, **TIMES,
            "backward": backward}
    traces = []
    for name, profile, more in (
            ("whole", MEASURED, {"ways": ways, "ring_latency_s": 0.125,
                                 "ring_bandwidth_bytes_per_s": 64.0,
                                 "sequence_parallel": parallel}),
            ("split", split_profile(MEASURED, ways, exchanges, how), {})):
        write_profile(profile, tmp_path / f"{name}.json")
        traces.append(simulate(**keys, profile=str(tmp_path / f"{name}.json"), **more))
    assert np.array_equal(traces[0].end_s, traces[1].end_s)
    assert traces[0].header.sizes == traces[1].header.sizes
    assert traces[0].end_s.max() > 20


def test_layers_that_are_cut_have_their_exchanges_together():
    from sim.layouts.layers import cut

    stage, = cut(MEASURED, [2]).stages
    assert stage.all_reduces == {"F": 5.0, "B": 2.0}
    assert stage.all_reduce_bytes == {"F": 576.0, "B": 128.0}


def test_what_is_learnt_does_not_change():
    keys = {"task": "digits-mlp", "width": 6, "batch_size": 8, "minibatches": 4}
    shared, plain = (simulate(**keys, **more) for more in (RING, {}))
    assert shared.header.training == plain.header.training
    assert shared.header.sizes.weight_bytes == [
        size / 4 for size in plain.header.sizes.weight_bytes]


@pytest.mark.parametrize(("keys", "said"), [
    ({"ways": [2, 2]}, "tensor.ways: one number per stage, so 3, got 2"),
    ({"ways": 3, "transformer": {"heads": 4, "sequence": 8, "hidden": 16}},
     "tensor.ways: divides tensor.transformer.heads, got 3 and 4"),
    ({"split_share": 0.5, "transformer": {"heads": 4, "sequence": 8, "hidden": 16}},
     "tensor.split_share: tensor.transformer says what share"),
])
def test_what_does_not_go_together_is_refused(keys, said):
    with pytest.raises(ConfigurationError, match=said):
        experiment(**keys)


def test_stages_on_one_device_are_shared_alike():
    keys = {"schedule": "interleaved", "stages": 4, "chunks": 2, "microbatches": 2,
            "minibatches": 1, **TIMES}
    simulate(**keys, ways=[2, 1, 2, 1])
    with pytest.raises(ConfigurationError, match="device 1 has some of 1 and of 4"):
        simulate(**keys, ways=[2, 1, 2, 4])


def test_several_workers_share_their_own_devices():
    trace = simulate(**ROW | {"count": 3}, **RING)
    assert analysis.report(trace)["tensor"] == {"ways": [4, 4], "devices": 24}
    assert (lasting(trace, Op.F) == 0.5 + 2 * ONCE).all()


@pytest.mark.parametrize(("keys", "said"), [
    ({"ring_latency_s": 1.0}, ["tensor.ring_latency_s: no stage is shared by several devices"]),
    ({"ways": 2, "ring_bandwidth_bytes_per_s": 1.0, **TIMES},
     ["tensor.ring_bandwidth_bytes_per_s: exchanges have no bytes"]),
    ({"ways": 2, "ring_latency_s": 1.0}, []),
])
def test_settings_that_change_nothing_are_told(keys, said):
    found = [line for line in hints(experiment(**keys), {}) if line.startswith("tensor")]
    assert len(found) == len(said)
    assert all(line.startswith(start) for line, start in zip(found, said, strict=True))


def test_the_door_tells_of_how_many_devices_the_numbers_are():
    result = CliRunner().invoke(main, ["run", "--set", "ways=[2,1,4]", "--set", "minibatches=2"],
                                env={"COLUMNS": "80"})
    assert result.exit_code == 0, result.output
    assert "stages are shared by 2, 1, 4 devices, 7 in all" in " ".join(result.output.split())
    found = CliRunner().invoke(main, ["run", "--set", "ways=2", "--json"])
    assert json.loads(found.output)["tensor"] == {"ways": [2, 2, 2], "devices": 6}
