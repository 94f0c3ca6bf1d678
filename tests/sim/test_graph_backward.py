"""`graph`: the forward's activations, the backward's weights in the input-gradient products."""

import numpy as np

from sim.numerics.tasks.mlp import MlpStage

RNG = np.random.default_rng(11)
SIZES = (4, 5, 3)
OLD, NEW = (RNG.normal(0.0, 0.7, MlpStage(SIZES, False, False).parameters) for _ in range(2))
X, G = RNG.normal(size=(6, 4)), RNG.normal(size=(6, 3))


def parts(weights):
    """Matrices and biases of the two layers, cut by hand."""
    return (weights[:20].reshape(4, 5), weights[20:25],
            weights[25:40].reshape(5, 3), weights[40:43])


def test_a_two_layer_stage_mixes_old_activations_with_new_weights():
    stage = MlpStage(SIZES, first=False, last=False)
    _, saved = stage.forward(OLD, X)
    own, passed_on = stage.backward(NEW, saved, G)

    first, bias, second, bias2 = parts(OLD)
    hidden = np.maximum(X @ first + bias, 0)
    output = np.maximum(hidden @ second + bias2, 0)
    new_first, _, new_second, _ = parts(NEW)
    at_output = G * (output > 0)
    at_hidden = (at_output @ new_second.T) * (hidden > 0)
    expected = np.concatenate([(X.T @ at_hidden).ravel(), at_hidden.sum(0),
                               (hidden.T @ at_output).ravel(), at_output.sum(0)])
    assert np.allclose(own, expected, rtol=1e-13, atol=1e-13)
    assert np.allclose(passed_on, at_hidden @ new_first.T, rtol=1e-13, atol=1e-13)


def test_the_last_stages_loss_gradient_is_the_forwards():
    stage = MlpStage(SIZES, first=False, last=True)
    labels = np.array([0, 1, 2, 0, 1, 2])
    _, saved = stage.forward(OLD, X, labels)
    own, passed_on = stage.backward(NEW, saved, 0.5)

    first, bias, second, bias2 = parts(OLD)
    hidden = np.maximum(X @ first + bias, 0)
    scores = np.exp(hidden @ second + bias2)
    at_output = 0.5 * (scores / scores.sum(1, keepdims=True) - np.eye(3)[labels]) / 6
    new_first, _, new_second, _ = parts(NEW)
    at_hidden = (at_output @ new_second.T) * (hidden > 0)
    assert np.allclose(own[25:40].reshape(5, 3), hidden.T @ at_output, rtol=1e-12, atol=1e-14)
    assert np.allclose(passed_on, at_hidden @ new_first.T, rtol=1e-12, atol=1e-14)


def test_one_layers_own_gradient_does_not_see_the_backwards_weights():
    stage = MlpStage((4, 5), first=False, last=False)
    weights, other = OLD[:25], NEW[:25]
    _, saved = stage.forward(weights, X)
    gradient = RNG.normal(size=(6, 5))
    one, passed = stage.backward(weights, saved, gradient)
    two, passed_other = stage.backward(other, saved, gradient)
    assert np.array_equal(one, two)
    assert not np.allclose(passed, passed_other)
