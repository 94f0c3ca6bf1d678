"""Hand-written gradients of the perceptron and the quadratic against finite differences."""

import itertools

import numpy as np
import pytest

from sim.numerics.tasks.mlp import MlpStage, cross_entropy, cut, first_weights
from sim.numerics.tasks.quadratic import QuadraticStage

STEP = 1e-6
SIZES = [(4, 3), (4, 5, 3), (3, 4, 4, 2)]
BATCH = 5


def numeric(function, at: np.ndarray) -> np.ndarray:
    """Central differences of a scalar function."""
    gradient = np.empty_like(at)
    for place in np.ndindex(at.shape):
        shift = np.zeros_like(at)
        shift[place] = STEP
        gradient[place] = (function(at + shift) - function(at - shift)) / (2 * STEP)
    return gradient


def close(one, other) -> bool:
    return np.allclose(one, other, rtol=1e-6, atol=1e-8)


class Case:
    """A stage away from the kinks of ReLU, its input, and what its output is dotted with."""

    def __init__(self, sizes: tuple[int, ...], first: bool, last: bool, seed: int = 3) -> None:
        rng = np.random.default_rng(seed)
        self.stage = MlpStage(sizes, first, last)
        self.weights = rng.normal(0.0, 0.7, self.stage.parameters)
        self.inputs = rng.normal(0.0, 1.0, (BATCH, sizes[0]))
        self.onwards = rng.normal(0.0, 1.0, (BATCH, sizes[-1]))
        self.labels = rng.integers(0, sizes[-1], BATCH)

    def middle(self, weights: np.ndarray, inputs: np.ndarray) -> float:
        """What later stages make of this stage's output: its dot product with `onwards`."""
        return float((self.stage.forward(weights, inputs)[0] * self.onwards).sum())

    def end(self, weights: np.ndarray, inputs: np.ndarray) -> float:
        return self.stage.forward(weights, inputs, self.labels)[0]


@pytest.mark.parametrize("sizes", SIZES)
def test_a_middle_stages_gradients(sizes):
    case = Case(sizes, first=False, last=False)
    _, saved = case.stage.forward(case.weights, case.inputs)
    own, passed_on = case.stage.backward(case.weights, saved, case.onwards)
    assert close(own, numeric(lambda w: case.middle(w, case.inputs), case.weights))
    assert close(passed_on, numeric(lambda x: case.middle(case.weights, x), case.inputs))


@pytest.mark.parametrize("sizes", SIZES)
@pytest.mark.parametrize("share", [1.0, 0.25])
def test_the_last_stages_gradients_of_the_mean_cross_entropy(sizes, share):
    case = Case(sizes, first=False, last=True)
    _, saved = case.stage.forward(case.weights, case.inputs, case.labels)
    own, passed_on = case.stage.backward(case.weights, saved, share)
    assert close(own, share * numeric(lambda w: case.end(w, case.inputs), case.weights))
    assert close(passed_on, share * numeric(lambda x: case.end(case.weights, x), case.inputs))


@pytest.mark.parametrize("sizes", SIZES)
def test_the_first_stage_has_the_same_weight_gradient_and_no_input_gradient(sizes):
    first, middle = (Case(sizes, first=flag, last=False) for flag in (True, False))
    gradients = []
    for case in (first, middle):
        _, saved = case.stage.forward(case.weights, case.inputs)
        gradients.append(case.stage.backward(case.weights, saved, case.onwards))
    assert np.array_equal(gradients[0][0], gradients[1][0])
    assert gradients[0][1] is None


def test_stages_in_a_row_have_the_gradient_of_the_whole():
    sizes = (4, 6, 5, 3)
    whole = Case(sizes, first=True, last=True)
    stages = cut(sizes, 3)
    cuts = np.cumsum([stage.parameters for stage in stages])[:-1]
    parts = np.split(whole.weights, cuts)
    here, saved = whole.inputs, []
    for stage, own in zip(stages, parts, strict=True):
        here, kept = stage.forward(own, here, whole.labels if stage.last else None)
        saved.append(kept)
    assert here == pytest.approx(whole.end(whole.weights, whole.inputs), rel=1e-14)
    gradient, gradients = 1.0, []
    for stage, own, kept in reversed(list(zip(stages, parts, saved, strict=True))):
        mine, gradient = stage.backward(own, kept, gradient)
        gradients.insert(0, mine)
    expected = numeric(lambda w: whole.end(w, whole.inputs), whole.weights)
    assert close(np.concatenate(gradients), expected)


def test_cross_entropy_is_minus_the_log_probability_of_the_labels():
    logits = np.array([[1.0, 2.0, 0.5], [0.0, 0.0, 0.0]])
    loss, gradient = cross_entropy(logits, np.array([1, 2]))
    p = np.exp(logits) / np.exp(logits).sum(axis=1, keepdims=True)
    assert loss == pytest.approx(-(np.log(p[0, 1]) + np.log(p[1, 2])) / 2, rel=1e-14)
    assert gradient == pytest.approx((p - np.array([[0, 1, 0], [0, 0, 1]])) / 2, abs=1e-15)


def test_cross_entropy_of_huge_logits_is_finite():
    loss, gradient = cross_entropy(np.array([[1e4, 0.0]]), np.array([1]))
    assert loss == pytest.approx(1e4)
    assert gradient == pytest.approx(np.array([[1.0, -1.0]]))


def test_a_pass_changes_neither_its_input_nor_its_weights():
    case = Case((4, 5, 3), first=False, last=True)
    weights, inputs = case.weights.copy(), case.inputs.copy()
    _, saved = case.stage.forward(weights, inputs, case.labels)
    case.stage.backward(weights, saved, 1.0)
    assert np.array_equal(weights, case.weights)
    assert np.array_equal(inputs, case.inputs)


def test_the_quadratics_gradients():
    stage = QuadraticStage(np.array([0.5, 2.0, 3.0]))
    weights = np.array([1.0, -2.0, 0.25])
    loss, saved = stage.forward(weights, 4.0)
    assert loss == 4.0 + 0.5 * (0.5 * 1 + 2.0 * 4 + 3.0 * 0.0625)
    own, passed_on = stage.backward(weights, saved, 0.5)
    assert close(own, 0.5 * numeric(lambda w: stage.forward(w, 4.0)[0], weights))
    assert passed_on == 0.5


@pytest.mark.parametrize(("layers", "stages", "sizes"), [
    (3, 3, [2, 2, 2]), (5, 2, [4, 3]), (4, 1, [5]), (7, 3, [4, 3, 3])])
def test_layers_are_cut_as_evenly_as_possible(layers, stages, sizes):
    parts = cut(tuple(range(10, 11 + layers)), stages)
    assert [len(part.sizes) for part in parts] == sizes
    assert [part.first for part in parts] == [True] + [False] * (stages - 1)
    assert [part.last for part in parts] == [False] * (stages - 1) + [True]
    for one, following in itertools.pairwise(parts):
        assert one.sizes[-1] == following.sizes[0]


def test_more_stages_than_layers_are_refused():
    with pytest.raises(ValueError, match="2 layers cannot make 3 stages"):
        cut((4, 3, 2), 3)


def test_first_weights_are_he_normal_with_zero_biases():
    stage = MlpStage((200, 300), first=True, last=False)
    ((matrix, bias),) = stage.layers(first_weights(stage, np.random.default_rng(0)))
    assert matrix.std() == pytest.approx(np.sqrt(2 / 200), rel=0.02)
    assert matrix.mean() == pytest.approx(0.0, abs=0.002)
    assert not bias.any()
