"""The digits: a fixed split, visits in whole permutations, micro-batches of one mini-batch."""

import numpy as np
import pytest

from sim.experiment.setup import make_task
from sim.numerics.tasks import stream
from sim.numerics.tasks.digits import images, visiting_order
from tests.sim.experiments import TINY, experiment, simulate


def task(**keys):
    return make_task(experiment(task="digits-mlp", **keys))


def test_a_fifth_of_the_images_validates():
    train, labels, valid, valid_labels = images()
    assert train.shape == (1437, 64)
    assert valid.shape == (360, 64)
    assert set(labels) == set(valid_labels) == set(range(10))


def test_no_image_is_in_both_parts():
    from sklearn.datasets import load_digits

    train, _, valid, _ = images()
    both = np.unique(np.concatenate([train, valid]), axis=0)
    assert len(both) == len(np.unique(load_digits().data, axis=0))


def test_training_pixels_have_mean_zero_and_deviation_one():
    train, *_ = images()
    assert train.mean() == pytest.approx(0.0, abs=1e-12)
    assert train.std() == pytest.approx(1.0, rel=1e-12)


def test_both_parts_have_one_pixel_scale():
    train, _, valid, _ = images()
    levels = np.unique(np.round(np.concatenate([train.ravel(), valid.ravel()]), 9))
    assert len(levels) == 17
    assert np.allclose(np.diff(levels), np.diff(levels)[0])


def test_every_epoch_visits_every_image_once():
    order = visiting_order(10, 25, np.random.default_rng(0))
    assert len(order) == 25
    assert sorted(order[:10]) == sorted(order[10:20]) == list(range(10))
    assert len(set(order[20:])) == 5
    assert not np.array_equal(order[:10], order[10:20])


def test_micro_batches_are_consecutive_pieces_of_the_mini_batch():
    whole, cut = task(batch_size=12), task(batch_size=12, microbatches=3)
    for i in range(4):
        pieces = [cut.inputs(3 * i + j) for j in range(3)]
        assert [len(piece) for piece in pieces] == [4, 4, 4]
        assert np.array_equal(np.concatenate(pieces), whole.inputs(i))
        labels = np.concatenate([cut.target(3 * i + j) for j in range(3)])
        assert np.array_equal(labels, whole.target(i))


def test_weights_and_visits_come_from_streams_of_their_own():
    one, other = task(batch_size=8), task(batch_size=16)
    assert all(np.array_equal(a, b) for a, b in zip(one.weights, other.weights, strict=True))
    narrow, wide = task(width=4), task(width=32)
    assert np.array_equal(narrow.inputs(0), wide.inputs(0))


def test_streams_of_one_seed_differ_and_repeat():
    draws = {name: stream(7, name).random(4).tolist()
             for name in ("weights", "order", "jitter", "search")}
    assert len({tuple(values) for values in draws.values()}) == 4
    assert draws["order"] == stream(7, "order").random(4).tolist()
    assert draws["order"] != stream(8, "order").random(4).tolist()


@pytest.mark.parametrize("stages", [1, 2, 3, 5, 9])
def test_every_stage_owns_at_least_one_layer(stages):
    made = task(stages=stages, width=6)
    assert len(made.models) == stages
    assert all(len(model.sizes) >= 2 for model in made.models)
    assert made.models[0].sizes[0] == 64
    assert made.models[-1].sizes[-1] == 10
    assert sum(len(model.sizes) - 1 for model in made.models) == max(3, stages)


def test_layers_can_be_asked_for():
    assert [len(m.sizes) - 1 for m in task(stages=2, layers=5, width=6).models] == [3, 2]


def test_the_default_experiment_learns():
    trace = simulate()
    final = trace.header.training
    losses = trace.curves["minibatch_loss"]
    assert losses[-10:].mean() < 0.5 * losses[:5].mean()
    assert final.accuracy > 0.7
    assert final.final_loss < 1.0


def test_final_loss_and_accuracy_are_those_of_the_final_weights():
    from tests.sim.experiments import history

    keys = {**TINY, "stages": 3, "minibatches": 12}
    trace, weights = history(**keys)
    train, labels, valid, valid_labels = images()

    def logits(inputs):
        here = inputs
        for k, (rows, columns) in enumerate([(64, 6), (6, 6), (6, 10)]):
            flat = weights[k][-1]
            here = here @ flat[: rows * columns].reshape(rows, columns) + flat[rows * columns :]
            here = here if k == 2 else np.maximum(here, 0)
        return here

    scores = logits(train)
    p = np.exp(scores) / np.exp(scores).sum(1, keepdims=True)
    loss = -np.log(p[np.arange(len(labels)), labels]).mean()
    assert trace.header.training.final_loss == pytest.approx(loss, rel=1e-12)
    accuracy = (logits(valid).argmax(1) == valid_labels).mean()
    assert trace.header.training.accuracy == pytest.approx(accuracy, abs=1e-12)


def test_evaluations_are_made_at_their_mini_batches_and_end_like_the_run():
    trace = simulate(**TINY, stages=3, minibatches=12, evaluate_every=4)
    assert trace.curves["evaluated_minibatch"].tolist() == [4, 8, 12]
    final = trace.header.training
    assert trace.curves["training_loss"][-1] == final.final_loss
    assert trace.curves["accuracy"][-1] == final.accuracy
    assert trace.curves["validation_loss"][-1] == final.validation_loss


def test_an_evaluation_sees_the_same_mini_batches_on_every_stage():
    """Evaluating does not wait for the run: it equals a run that ends there (stash reads alike)."""
    keys = {**TINY, "stages": 3, "mitigation": "stash"}
    long = simulate(**keys, minibatches=12, evaluate_every=6)
    short = simulate(**keys, minibatches=6)
    assert long.curves["training_loss"][0] == short.header.training.final_loss
