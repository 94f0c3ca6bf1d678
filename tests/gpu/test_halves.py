"""The halves of a backward: together the whole, bit by bit, whatever the graph looks like."""

import pytest
import torch
from torch import nn

from gpu.model.cutter import boundaries, cut
from gpu.model.networks import build
from gpu.model.stage_model import TorchStage


class Twice(nn.Module):
    """A branching block that uses one weight in two places, on the way and beside it."""

    def __init__(self):
        super().__init__()
        self.one, self.two = nn.Linear(6, 6), nn.Linear(6, 6)

    def forward(self, x):
        return self.two(torch.relu(self.one(x))) + self.one(x) * x.mean()


def both(stage, inputs, target=None):
    weights = stage.first_weights()
    with stage.again():
        output, saved = stage.forward(weights, inputs, target)
        _, again = stage.forward(weights, inputs, target)
    gradient = torch.randn_like(output) if target is None else 0.5
    whole = stage.backward(weights, saved, gradient)
    left, passed_on = stage.backward_input(weights, again, gradient)
    other = stage.first_weights() * 3 + 1  # what the weight half finds in the live buffer
    stage.load(other)
    return whole, (stage.backward_weight(left), passed_on)


@pytest.mark.parametrize("network", [
    "narrow", "resnet50", pytest.param("vgg16", marks=pytest.mark.verify)])
def test_stages_of_networks(network):
    parts = cut(*(lambda n: (n, boundaries(n, 2)))(build(network, 10, 0)))
    first, last = (TorchStage(part, first=k == 0) for k, part in enumerate(parts))
    inputs = torch.randn(2, 3, 32, 32)
    whole, halves = both(first, inputs)
    assert whole[1] is None
    assert halves[1] is None
    assert torch.equal(whole[0], halves[0])
    with first.again():
        middle = first.forward(first.first_weights(), inputs)[0]
    whole, halves = both(last, middle, torch.tensor([1, 2]))
    assert all(map(torch.equal, whole, halves))


@pytest.mark.parametrize("first", [True, False])
@pytest.mark.parametrize("module", [
    nn.Sequential(nn.Linear(6, 4)), nn.Sequential(nn.Flatten(), nn.Linear(6, 4), nn.Tanh()),
    nn.Sequential(Twice(), nn.LayerNorm(6), Twice()),
    nn.Sequential(nn.LayerNorm(6), nn.Linear(6, 3, bias=False))])
def test_graphs_of_every_form(module, first):
    torch.manual_seed(0)
    whole, halves = both(TorchStage(module, first=first), torch.randn(5, 6))
    torch.testing.assert_close(whole[0], halves[0], rtol=1e-6, atol=1e-7)
    assert (whole[1] is None) is first
    assert first or torch.allclose(whole[1], halves[1], rtol=1e-6)


def test_a_parameter_without_a_part_is_told():
    class Idle(nn.Module):
        def __init__(self):
            super().__init__()
            self.used, self.idle = nn.Linear(3, 3), nn.Linear(3, 3)

        def forward(self, x):
            return self.used(x)

    stage = TorchStage(Idle(), first=False)
    _, saved = stage.forward(stage.first_weights(), torch.randn(2, 3))
    with pytest.raises(ValueError, match="no part in the stage's output"):
        stage.backward_input(stage.first_weights(), saved, torch.randn(2, 3))
