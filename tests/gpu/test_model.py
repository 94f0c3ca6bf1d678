"""Both backward readings: against NumPy, against derivatives written by hand, and the traps."""

import numpy as np
import pytest
import torch
from torch import nn

from gpu.model.stage_model import TorchStage
from sim.numerics.tasks.mlp import MlpStage, first_weights

SIZES = (5, 7, 6, 4)


def as_torch(stage: MlpStage, weights: np.ndarray) -> torch.Tensor:
    """NumPy's flat layout (matrix in x out, bias) as torch's (matrix out x in, bias)."""
    parts = [part for matrix, bias in stage.layers(weights) for part in (matrix.T.ravel(), bias)]
    return torch.from_numpy(np.concatenate(parts))


def mlp(stage: MlpStage) -> nn.Sequential:
    layers = []
    for i, o in zip(stage.sizes, stage.sizes[1:], strict=False):
        layers += [nn.Linear(i, o), nn.ReLU(inplace=True)]
    return nn.Sequential(*(layers[:-1] if stage.last else layers)).double()


@pytest.mark.parametrize("reading", ["graph", "recompute"])
@pytest.mark.parametrize("last", [False, True])
def test_linear_stages_equal_the_numpy_ones_under_other_weights(reading, last):
    rng = np.random.default_rng(0)
    ours = MlpStage(SIZES, first=False, last=last)
    theirs = TorchStage(mlp(ours), first=False, recompute=reading == "recompute")
    old, new = (first_weights(ours, rng) + 0.1 for _ in range(2))
    inputs = rng.normal(size=(8, SIZES[0]))
    target = rng.integers(0, SIZES[-1], 8) if last else None
    gradient = 0.5 if last else rng.normal(size=(8, SIZES[-1]))

    output, saved = ours.forward(old, inputs, target)
    t_inputs, t_target = torch.from_numpy(inputs), torch.from_numpy(target) if last else None
    t_output, t_saved = theirs.forward(as_torch(ours, old), t_inputs, t_target)
    np.testing.assert_allclose(t_output.numpy(), output, atol=1e-12)
    t_new = as_torch(ours, new)
    if reading == "recompute":
        _, saved = ours.forward(new, inputs, target)
        with theirs.again():
            _, t_saved = theirs.forward(t_new, t_inputs, t_target)
    own, passed = ours.backward(new, saved, gradient)
    t_gradient = gradient if last else torch.from_numpy(gradient)
    t_own, t_passed = theirs.backward(t_new, t_saved, t_gradient)
    assert np.abs(t_own.numpy() - as_torch(ours, own).numpy()).max() <= 1e-10
    assert np.abs(t_passed.numpy() - passed).max() <= 1e-10


class Written:
    """Conv 1x1, BatchNorm, ReLU, Linear with derivatives by hand; `w` for the backward's weights.

    Shapes: x (n, c, h, w); kernel (o, c); gamma, beta (o,); matrix (k, o*h*w); bias (k,).
    """

    def __init__(self, weights, c, o, pixels, k):
        kernel, self.gamma, self.beta, matrix, self.bias = torch.split(
            weights, [o * c, o, o, k * o * pixels, k])
        self.kernel, self.matrix = kernel.view(o, c), matrix.view(k, -1)

    def forward(self, x):
        self.x = x
        self.z = torch.einsum("oc,nchw->nohw", self.kernel, x)
        self.mean = self.z.mean((0, 2, 3), keepdim=True)
        self.scale = 1 / torch.sqrt(self.z.var((0, 2, 3), unbiased=False, keepdim=True) + 1e-5)
        self.hat = (self.z - self.mean) * self.scale
        pre = self.gamma.view(1, -1, 1, 1) * self.hat + self.beta.view(1, -1, 1, 1)
        self.mask, self.flat = pre > 0, pre.clamp(min=0).flatten(1)
        return self.flat @ self.matrix.T + self.bias

    def backward(self, w, gradient):
        """Weight gradients from this forward; input gradients with `w`'s matrices."""
        d_matrix, d_bias = gradient.T @ self.flat, gradient.sum(0)
        d_pre = (gradient @ w.matrix).view(self.z.shape) * self.mask
        d_gamma, d_beta = (d_pre * self.hat).sum((0, 2, 3)), d_pre.sum((0, 2, 3))
        d_hat = d_pre * w.gamma.view(1, -1, 1, 1)
        count = d_hat.numel() / d_hat.shape[1]
        d_z = self.scale * (d_hat - d_hat.sum((0, 2, 3), keepdim=True) / count - self.hat
                            * (d_hat * self.hat).sum((0, 2, 3), keepdim=True) / count)
        d_kernel = torch.einsum("nohw,nchw->oc", d_z, self.x)
        d_x = torch.einsum("oc,nohw->nchw", w.kernel, d_z)
        parts = (d_kernel, d_gamma, d_beta, d_matrix, d_bias)
        return torch.cat([p.reshape(-1) for p in parts]), d_x


def conv_stage(recompute=False):
    torch.manual_seed(0)
    module = nn.Sequential(nn.Conv2d(3, 4, 1, bias=False), nn.BatchNorm2d(4),
                           nn.ReLU(inplace=True), nn.Flatten(1), nn.Linear(4 * 25, 6)).double()
    return TorchStage(module, first=False, recompute=recompute)


@pytest.fixture
def case():
    generator = torch.Generator().manual_seed(1)
    size = len(conv_stage().live)
    old, new = (torch.randn(size, generator=generator, dtype=torch.float64) for _ in range(2))
    inputs = torch.randn(7, 3, 5, 5, generator=generator, dtype=torch.float64)
    gradient = torch.randn(7, 6, generator=generator, dtype=torch.float64)
    return old, new, inputs, gradient


@pytest.mark.parametrize("reading", ["graph", "recompute"])
def test_convolution_and_batchnorm_equal_the_hand_derived_ones(case, reading):
    old, new, inputs, gradient = case
    stage = conv_stage(reading == "recompute")
    by_hand, other = (Written(w, 3, 4, 25, 6) for w in (old, new))
    output, saved = stage.forward(old, inputs)
    torch.testing.assert_close(output, by_hand.forward(inputs), atol=1e-12, rtol=0)
    if reading == "recompute":
        by_hand = other
        by_hand.forward(inputs)
        with stage.again():
            _, saved = stage.forward(new, inputs)
    own, passed = stage.backward(new, saved, gradient)
    own_by_hand, passed_by_hand = by_hand.backward(other, gradient)
    assert (own - own_by_hand).abs().max() <= 1e-10
    assert (passed - passed_by_hand).abs().max() <= 1e-10


def test_readings_differ_when_the_weights_do_and_agree_when_not(case):
    old, new, inputs, gradient = case
    graph, again = conv_stage(), conv_stage(recompute=True)
    for weights, same in ((old, True), (new, False)):
        _, saved = graph.forward(old, inputs)
        again.forward(old, inputs)
        with again.again():
            _, resaved = again.forward(weights, inputs)
        one, two = graph.backward(weights, saved, gradient), again.backward(weights, resaved,
                                                                             gradient)
        assert torch.equal(one[0], two[0]) is same
        assert torch.equal(one[1], two[1]) is same


def test_passes_sharing_weights_do_not_spoil_each_other(case):
    old, new, inputs, gradient = case
    stage, untouched = conv_stage(), old.clone()
    _, first = stage.forward(old, inputs)
    _, second = stage.forward(old, inputs * 2)
    stage.backward(new, first, gradient)
    late = stage.backward(old, second, gradient)
    assert torch.equal(old, untouched)
    alone = conv_stage()
    _, saved = alone.forward(old, inputs * 2)
    fresh = alone.backward(old, saved, gradient)
    assert torch.equal(late[0], fresh[0])
    assert torch.equal(late[1], fresh[1])


def test_buffers_move_once_per_forward_and_not_in_a_recompute(case):
    old, new, inputs, gradient = case
    graph, again = conv_stage(), conv_stage(recompute=True)
    for stage in (graph, again):
        stage.forward(old, inputs)
    with again.again():
        _, saved = again.forward(new, inputs)
    again.backward(new, saved, gradient)
    for name, buffer in graph.module.named_buffers():
        assert torch.equal(buffer, dict(again.module.named_buffers())[name]), name
    assert int(again.module[1].num_batches_tracked) == 1


def test_a_recomputing_stage_keeps_no_graph(case):
    _, saved = conv_stage(recompute=True).forward(case[0], case[2])
    assert saved is None


def test_first_stage_passes_nothing_on():
    stage = TorchStage(nn.Sequential(nn.Linear(3, 2)), first=True)
    output, saved = stage.forward(stage.first_weights(), torch.randn(4, 3))
    assert not output.requires_grad
    assert stage.backward(stage.first_weights(), saved, torch.ones(4, 2))[1] is None
