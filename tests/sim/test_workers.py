"""Workers that learn together: equal to what they must be equal to, and never ahead of the rule."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sim.errors import ConfigurationError, InvalidProgramError
from sim.experiment.configuration import resolve
from sim.experiment.run import run
from sim.op import Op
from sim.workers import COMBINES
from sim.workers.wave import Wave
from tests.sim.crews import close, document, final, learnt

MOMENTUM = pytest.mark.parametrize(("momentum", "convention"), [
    (0.0, "ema"), (0.9, "ema"), (0.9, "heavy-ball")])


@MOMENTUM
@pytest.mark.parametrize("workers", [2, 3, 4])
def test_data_parallel_equals_one_worker_on_the_joined_batch(workers, momentum, convention):
    training = {"momentum": momentum, "convention": convention}
    _, several = learnt(workers=workers, training=training)
    _, one = learnt(minibatches=12 // workers, training=training | {"batch_size": 8 * workers})
    assert close(final(several), final(one))


def test_the_replicas_of_data_parallel_stay_equal_bit_for_bit():
    _, seen = learnt(workers=3)
    for _, version, weights in seen:
        first = next(w for _, v, w in seen if v == version)
        assert np.array_equal(weights, first)


@MOMENTUM
@pytest.mark.parametrize("stages", [1, 3])
def test_hetpipe_one_at_a_time_without_distance_is_data_parallel(stages, momentum, convention):
    keys = {"workers": 3, "stages": stages,
            "training": {"momentum": momentum, "convention": convention}}
    het, _ = learnt(combine="wave", schedule="round-robin", in_flight=1, mitigation="stash", **keys)
    parallel, _ = learnt(**keys)
    found, expected = (t.header.training.final_loss for t in (het, parallel))
    assert found == pytest.approx(expected, rel=1e-12)
    assert het.header.workers.behind_max == 0
    assert np.array_equal(het.version_read, parallel.version_read)


@pytest.mark.parametrize("combine", ["wave", {"name": "wave", "distance": 2}])
def test_hetpipe_with_one_worker_is_the_pipeline_alone(combine):
    keys = {"schedule": "round-robin", "stages": 3, "mitigation": "stash"}
    het, one = learnt(combine=combine, **keys)
    alone, other = learnt(**keys)
    assert np.array_equal(het.version_read, alone.version_read)
    assert np.array_equal(het.end_s, alone.end_s)
    assert close(final(one, 3), final(other, 3))


@MOMENTUM
def test_bmuf_with_one_worker_is_plain_gradient_descent(momentum, convention):
    training = {"momentum": momentum, "convention": convention}
    combine = {"name": "block-momentum", "block": 3, "momentum": 0.0, "rate": 1.0, "reset": False}
    _, plain = learnt(training=training)
    _, alone = learnt(combine=combine, training=training)
    assert close(final(alone), final(plain))
    combine["momentum"] = 0.5
    _, filtered = learnt(combine=combine, training=training)
    assert not close(final(filtered), final(plain))


@pytest.mark.parametrize("count", [1, 2])
@pytest.mark.parametrize("reset", [True, False])
@pytest.mark.parametrize("nesterov", [True, False])
def test_the_block_filter_by_hand(count, reset, nesterov):
    """Against Chen & Huo's lines, workers on a quadratic with a heavy ball of their own."""
    block, mu, zeta, rate, gamma = 4, 0.6, 0.8, 0.1, 0.5
    combine = {"name": "block-momentum", "block": block, "momentum": mu, "rate": zeta,
               "reset": reset, "nesterov": nesterov}
    trace, _ = learnt(workers=count, combine=combine, minibatches=count * 3 * block, training={
        "task": "quadratic", "curvatures": [0.5], "momentum": gamma, "convention": "heavy-ball",
        "learning_rate": rate})
    w, delta, v = 1.0, 0.0, 0.0
    for _ in range(3):
        start = mean = w + mu * delta if nesterov else w
        v = 0.0 if reset else v
        for _ in range(block):
            v = gamma * v + 0.5 * mean
            mean -= rate * v
        delta = mu * delta + zeta * (mean - start)
        w += delta
    assert trace.header.training.final_loss == pytest.approx(0.5 * 0.5 * w * w, rel=1e-12)


def test_a_reset_gives_an_optimizer_back_all_of_its_first_state():
    """Adam's bias correction shows it: with one worker and no filter each block starts anew."""
    combine = {"name": "block-momentum", "block": 2}
    training = {"task": "quadratic", "curvatures": [0.5], "optimizer": "adam",
                "learning_rate": 0.01}
    _, seen = learnt(combine=combine, training=training, minibatches=6)
    weights = [1.0, *(float(w[0]) for _, _, w in seen)]
    for block in (0, 2, 4):  # Adam's first step is the rate itself, but for epsilon
        assert weights[block] - weights[block + 1] == pytest.approx(0.01, rel=1e-6)


def test_a_server_forgets_the_waves_that_every_worker_has_pulled(monkeypatch):
    servers = []
    made = Wave.exchange
    monkeypatch.setattr(Wave, "exchange",
                        lambda *given: servers.append(made(*given)) or servers[-1])
    learnt(workers=2, combine="wave", schedule="round-robin", stages=2, minibatches=80,
           mitigation="stash", training={"task": "quadratic", "curvatures": [0.5]})
    kept = [[step is not None for step in waves] for waves in servers[0]._waves]
    assert [len(waves) for waves in kept] == [20, 20]
    assert max(map(sum, kept)) <= 3


def test_hetpipes_sum_is_the_workers_updates_added_up():
    """One at a time without distance, on equal workers: a sum of R is R times the rate."""
    keys = {"workers": 3, "schedule": "round-robin", "in_flight": 1, "mitigation": "stash"}
    task = {"task": "quadratic", "curvatures": [0.5], "momentum": 0.0}
    one, _ = learnt(combine={"name": "wave", "combine": "sum"},
                    training=task | {"learning_rate": 0.1}, **keys)
    other, _ = learnt(combine="wave", training=task | {"learning_rate": 0.3}, **keys)
    found, expected = (t.header.training.final_loss for t in (one, other))
    assert found == pytest.approx(expected, rel=1e-12)


def exchanged(size: int, in_flight: int, distance: int, workers: int):
    return run(resolve(document(
        workers=workers, combine={"name": "wave", "distance": distance}, schedule="round-robin",
        stages=3, minibatches=workers * size, in_flight=in_flight, mitigation="stash",
        training={"task": "none"})))


@given(st.integers(3, 30), st.integers(1, 4), st.integers(0, 3), st.integers(2, 3))
def test_hetpipes_published_bounds_hold_and_are_met(size, in_flight, distance, workers):
    """Local staleness ≤ min(Nm, S−k)−1; global ≤ (D+1)(s_local+1)+s_local−1 with s_local = Nm−1."""
    trace = exchanged(size, in_flight, distance, workers)
    for k in range(3):
        assert trace.staleness[trace.stage == k].max() <= min(in_flight, 3 - k) - 1
    waves = min(in_flight, size)
    bound = (distance + 1) * waves + waves - 2
    assert trace.header.workers.behind_max <= bound
    if size >= (distance + 3) * waves:
        assert trace.header.workers.behind_max == bound


@given(st.integers(1, 3), st.integers(0, 2), st.lists(st.floats(0.5, 4.0), min_size=2, max_size=2))
def test_no_worker_runs_further_ahead_than_the_clock_distance(in_flight, distance, slowdown):
    """Read off the times: a worker's forward of wave c+1 starts after all ended wave c − D − 1."""
    trace = run(resolve(document(
        workers=2, combine={"name": "wave", "distance": distance}, schedule="round-robin",
        stages=2, minibatches=40, in_flight=in_flight, slowdown=slowdown,
        training={"task": "none"})))
    size = min(in_flight, 20)
    own = (trace.minibatch - 1) // 2
    worker = trace.device // 2
    for stage in range(2):
        here = trace.stage == stage
        ended = [{int(own[r]): trace.end_s[r] for r in np.flatnonzero(
            here & (worker == w) & (trace.op == Op.U))} for w in range(2)]
        for row in np.flatnonzero(here & (trace.op == Op.F)):
            wave = int(own[row]) // size - 1 - distance
            if wave >= 0 and own[row] % size == size - 1:
                last = (wave + 1) * size - 1
                assert trace.start_s[row] >= max(e[last] for e in ended)


def test_a_slow_worker_holds_the_others_by_the_distance_and_alone_it_would_not():
    slow = {"schedule": "round-robin", "stages": 2, "minibatches": 60, "slowdown": [1.0, 3.0],
            "training": {"task": "none"}}
    ends = {}
    for distance in (0, 4):
        trace = run(resolve(document(
            workers=2, combine={"name": "wave", "distance": distance}, **slow)))
        ends[distance] = trace.end_s[trace.device < 2].max()
    assert ends[4] < ends[0]


def test_the_ring_takes_its_closed_form():
    """2(R−1)·(latency + bytes/(R·bandwidth)) after the slowest worker's backward."""
    doc = document(workers=4, training={"task": "quadratic", "curvatures": [1.0] * 16},
                   slowdown=[1.0, 1.0, 1.0, 2.0])
    doc["workers"] |= {"sync_latency_s": 0.25, "sync_bandwidth_bytes_per_s": 64.0}
    trace = run(resolve(doc))
    exchange = 2 * 3 * (0.25 + 128 / 4 / 64)
    assert np.unique(trace.start_s[(trace.op == Op.U) & (trace.minibatch <= 4)]) == [4 + exchange]
    assert trace.end_s.max() == 3 * (4 + exchange)


@pytest.mark.parametrize("combine", COMBINES.names())
def test_traces_of_workers_replay_and_analyse(combine, tmp_path):
    from analysis.metrics.report import report
    from sim.experiment.making import make_combine
    from sim.trace import Trace
    from sim.workers.synchronisation import synchronised

    trace, _ = learnt(workers=2, combine=combine, schedule="1f1b", stages=2, microbatches=2)
    path = tmp_path / "run.npz"
    trace.save(path)
    again = Trace.load(path)
    program = synchronised(again.program(), make_combine(combine))
    assert program == synchronised(trace.program(), make_combine(combine))
    values = report(again)
    assert values["devices"] == 4
    assert values["workers"]["count"] == 2
    keys = {"schedule": "1f1b", "stages": 2, "microbatches": 2}
    replayed = run(resolve(document(workers=2, combine=combine, **keys)), program)
    assert np.array_equal(replayed.end_s, trace.end_s)


def test_changing_costs_never_changes_weights():
    keys = {"workers": 2, "combine": {"name": "wave", "distance": 1}, "schedule": "round-robin",
            "stages": 2, "mitigation": "stash"}
    _, one = learnt(**keys)
    _, other = learnt(**keys, slowdown=[1.0, 7.0])
    assert len(one) == len(other)
    for (stage, version, a), (stage2, version2, b) in zip(one, other, strict=True):
        assert (stage, version) == (stage2, version2)
        assert np.array_equal(a, b)


@pytest.mark.parametrize("workers", [1, 2])
def test_an_exchange_the_order_cannot_wait_for_is_refused_and_said(workers):
    """Blocks end where a pipeline without flush has the next block's forwards under way."""
    with pytest.raises(InvalidProgramError, match="the order cannot be executed"):
        learnt(workers=workers, combine="block-momentum", schedule="round-robin", stages=2)


@pytest.mark.parametrize(("change", "said"), [
    ({"workers": 5}, "workers.count: divides pipeline.minibatches, got 5 and 12"),
    ({"workers": 2, "slowdown": [1.0]}, "workers.slowdown: one number per worker, so 2, got 1"),
    ({"workers": 2, "dispatch": "greedy"}, "pipeline.dispatch: greedy dispatch takes one worker"),
    ({"workers": 2, "combine": "gossip"}, "workers.combine: combine 'gossip' is unknown"),
    ({"workers": 2, "combine": {"name": "wave", "distance": -1}},
     "workers.combine: distance is 0 to 1000000000, got -1"),
    ({"workers": 2, "combine": {"name": "block-momentum", "momentum": 1.0}}, "0 <= momentum < 1"),
])
def test_what_is_wrong_with_workers_is_said_with_its_path(change, said):
    with pytest.raises(ConfigurationError) as caught:
        resolve(document(**change))
    assert said in str(caught.value)
