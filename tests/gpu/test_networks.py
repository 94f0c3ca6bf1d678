"""Networks and the cutter: sizes from the literature, cuts at the seeds' place, same function."""

import pytest
import torch

from gpu.model.cutter import Network, balanced, boundaries, cut, flops
from gpu.model.networks import NETWORKS, build, vgg16


@pytest.fixture(scope="module")
def resnet50() -> Network:
    with torch.device("meta"):
        return NETWORKS["resnet50"](1000)


def test_resnet50_has_the_published_size_and_work(resnet50):
    assert resnet50.parameters == 25_557_032
    assert sum(flops(resnet50)) / 2 == pytest.approx(4.09e9, rel=0.01)  # multiply-adds, torchvision


def test_resnet50_in_two_is_the_tutorials_cut(resnet50):
    ends = boundaries(resnet50, 2)
    names = [name for name, _ in resnet50.units]
    assert names[ends[0] - 1].startswith("layer2")
    assert names[ends[0]] == "layer3_0"
    front, back = cut(resnet50, ends)
    with torch.no_grad():
        crossing = front.eval()(torch.empty(1, 3, 128, 128, device="meta"))
    assert crossing.shape == (1, 512, 16, 16)
    assert back.eval()(crossing).shape == (1, 1000)


def test_vgg16_goes_through_the_same_cutter():
    with torch.device("meta"):
        network = vgg16()
    assert network.parameters == 138_357_544
    here = torch.empty(1, 3, 224, 224, device="meta")
    for stage in cut(network, boundaries(network, 4)):
        here = stage.eval()(here)
    assert here.shape == (1, 1000)


@pytest.mark.parametrize("name", ["narrow", "transformer"])
@pytest.mark.parametrize("stages", [1, 2, 3, 4, 6])
def test_cut_network_computes_what_the_whole_one_does(stages, name):
    network = build(name, 10, seed=1)
    images = torch.randn(2, 3, 32, 32)
    whole = torch.nn.Sequential(*(unit for _, unit in network.units)).eval()
    here = images
    for stage in cut(network, boundaries(network, stages)):
        assert any(True for _ in stage.parameters())
        here = stage(here)
    assert torch.equal(here, whole(images))


def test_balanced_is_optimal_by_exhaustion():
    from itertools import combinations

    costs = [5.0, 1.0, 1.0, 7.0, 2.0, 2.0, 3.0]

    def worst(ends):
        return max(sum(costs[a:b]) for a, b in zip([0, *ends[:-1]], ends, strict=True))

    for stages in range(1, 8):
        best = min(worst([*c, 7]) for c in combinations(range(1, 7), stages - 1))
        ends = balanced(costs, stages)
        assert len(ends) == stages
        assert worst(ends) == best


def test_measured_costs_move_the_cut():
    network = build("narrow", 10, seed=1)
    assert boundaries(network, 2, [9, 1, 1, 1, 1, 1]) == [1, 6]
    with pytest.raises(ValueError, match="6 units, got 2 costs"):
        boundaries(network, 2, [1, 1])
    with pytest.raises(ValueError, match="1 to 6 stages, got 7"):
        boundaries(network, 7)


def test_weights_come_from_the_seed_and_the_global_generator_is_left_alone():
    before = torch.random.get_rng_state()
    one, two, other = (build("narrow", 10, seed) for seed in (1, 1, 2))
    assert torch.equal(before, torch.random.get_rng_state())
    first = [next(n.units[0][1].parameters()) for n in (one, two, other)]
    assert torch.equal(first[0], first[1])
    assert not torch.equal(first[0], first[2])
    with pytest.raises(ValueError, match="choose from narrow, resnet50, vgg16, transformer"):
        build("alexnet", 10, 0)
