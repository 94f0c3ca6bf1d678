"""Rates and curves of several workers: over their own updates, in order, of what all learnt."""

import numpy as np
import pytest

from sim.workers import COMBINES
from tests.sim.crews import close, final, learnt


@pytest.mark.parametrize("schedule", [
    {"name": "cosine"}, {"name": "cosine", "warmup": 3}, {"name": "step", "every": 2}])
@pytest.mark.parametrize("workers", [2, 3])
def test_a_rate_schedule_spans_a_stages_own_updates(workers, schedule):
    """Data parallel on one data set is one worker on the joined batch, at the same rates."""
    training = {"rate_schedule": schedule, "learning_rate": 0.2}
    _, several = learnt(workers=workers, training=training)
    _, one = learnt(minibatches=12 // workers, training=training | {"batch_size": 8 * workers})
    assert close(final(several), final(one))


def test_the_cosine_of_four_workers_gives_the_known_loss():
    trace, _ = learnt(workers=4, minibatches=80, training={
        "width": 16, "layers": None, "seed": 3, "learning_rate": 0.2,
        "rate_schedule": {"name": "cosine"}})
    assert trace.header.training.final_loss == pytest.approx(2.2404640873457433, rel=1e-12)


@pytest.mark.parametrize(("workers", "every"), [(4, 10), (3, 1), (4, 3), (2, 8), (3, 24)])
@pytest.mark.parametrize("combine", [
    "all-reduce", "wave", {"name": "wave", "combine": "sum"},
    {"name": "block-momentum", "block": 2, "momentum": 0.5, "nesterov": True}])
def test_a_point_of_a_curve_is_where_a_run_of_so_many_mini_batches_ends(workers, every, combine):
    keys = {"workers": workers, "combine": combine, "in_flight": 1, "schedule": "round-robin",
            "stages": 2, "mitigation": "stash"}
    whole, _ = learnt(minibatches=24, training={"evaluate_every": every}, **keys)
    at = whole.curves["evaluated_minibatch"]
    assert at.tolist() == list(range(every, 25, every))
    for point, loss in zip(at.tolist(), whole.curves["training_loss"], strict=True):
        if point % workers == 0:
            short, _ = learnt(minibatches=point, **keys)
            assert loss == pytest.approx(short.header.training.final_loss, rel=1e-12)
    if every == 24:
        assert whole.curves["accuracy"][-1] == whole.header.training.accuracy


def test_between_rounds_a_point_counts_each_worker_where_it_stands():
    """Plain descent on a quadratic: after 5 mini-batches two workers have done 3 and 2 updates."""
    shrink = 1 - 0.1 * 0.5
    training = {"task": "quadratic", "curvatures": [0.5], "momentum": 0.0, "learning_rate": 0.1,
                "evaluate_every": 1}
    mean = (shrink**3 + shrink**2) / 2
    for combine, weight in {"all-reduce": shrink**3, "block-momentum": mean, "wave": mean}.items():
        trace, _ = learnt(workers=2, combine=combine, minibatches=8, training=training)
        losses = trace.curves["training_loss"]
        assert losses[4] == pytest.approx(0.25 * weight**2, rel=1e-12)
        assert (np.diff(losses) <= 0).all()


def test_a_curve_changes_no_weight():
    for combine in COMBINES.names():
        keys = {"workers": 3, "combine": combine, "stages": 2}
        _, plain = learnt(**keys)
        _, judged = learnt(**keys, training={"evaluate_every": 2})
        assert all(np.array_equal(a, b) for (*_, a), (*_, b) in zip(plain, judged, strict=True))
