"""The networks a run can choose from, as units a cutter can part: torchvision's, a transformer."""

from __future__ import annotations

from collections.abc import Callable, Sequence

import torch
from torch import nn

from gpu.model.cutter import Network
from gpu.model.transformer import transformer
from gpu.versions import models, residual_layer
from sim.errors import unknown

STEM_CHANNELS = 64


def resnet50(classes: int = 1000) -> Network:
    """ResNet-50: 25,557,032 parameters at 1,000 classes.

    In two: `conv1 bn1 relu maxpool layer1 layer2 | layer3 layer4 avgpool fc`, the cut of the
    PyTorch model-parallel tutorial.  Source: He et al. 2015, torchvision.models.resnet50.
    """
    return residual("resnet50", models().resnet50(num_classes=classes), classes, 224)


def narrow(classes: int = 10, divisor: int = 8, blocks: Sequence[int] = (1, 1, 1, 1)) -> Network:
    """A small ResNet: torchvision's Bottleneck code, fewer blocks, 1/`divisor` of the channels.

    torchvision fixes the channel numbers of the four layers, so they are made again by its own
    code; weights then have torch's default initialisation.
    """
    zoo = models().resnet
    with torch.device("meta"):  # the full-width layers are replaced: never allocate them
        net = zoo.ResNet(zoo.Bottleneck, list(blocks), classes)
    net.inplanes = STEM_CHANNELS // divisor
    net.conv1 = nn.Conv2d(3, net.inplanes, 7, stride=2, padding=3, bias=False)
    net.bn1 = nn.BatchNorm2d(net.inplanes)
    for number, count in enumerate(blocks):
        planes = STEM_CHANNELS * 2**number // divisor
        setattr(net, f"layer{number + 1}",
                residual_layer(net, planes, count, stride=2 if number else 1))
    net.fc = nn.Linear(net.inplanes, classes)
    return residual("narrow", net, classes, 32)


def residual(name: str, net: nn.Module, classes: int, image_size: int) -> Network:
    """A torchvision ResNet as units: the stem, every bottleneck, the head."""
    parts = dict(net.named_children())
    stem = nn.Sequential(*(parts[n] for n in ("conv1", "bn1", "relu", "maxpool")))
    units: list[tuple[str, nn.Module]] = [("stem", stem)]
    halves = 0
    for layer in ("layer1", "layer2", "layer3", "layer4"):
        if layer == "layer3":
            halves = len(units)
        units += [(f"{layer}_{i}", block) for i, block in enumerate(parts[layer].children())]
    units.append(("head", nn.Sequential(parts["avgpool"], nn.Flatten(1), parts["fc"])))
    return Network(name, tuple(units), classes, image_size, halves)


def vgg16(classes: int = 1000) -> Network:
    """VGG-16, the papers' second network: 138,357,544 parameters at 1,000 classes.

    [choice] Without dropout: a random mask is neither weight nor saved input, so a recompute
    could not repeat it.  Source: Simonyan & Zisserman 2014, torchvision.models.vgg16.
    """
    net = models().vgg16(num_classes=classes, dropout=0.0)
    groups: list[list[nn.Module]] = []
    for module in (*net.features, net.avgpool, nn.Flatten(1), *net.classifier):
        if isinstance(module, (nn.Conv2d, nn.Linear)):
            groups.append([module])
        elif not isinstance(module, nn.Dropout):
            groups[-1].append(module)
    units = tuple((f"unit{i}", nn.Sequential(*group)) for i, group in enumerate(groups))
    return Network("vgg16", units, classes, 224)


NETWORKS: dict[str, Callable[..., Network]] = {
    "narrow": narrow, "resnet50": resnet50, "vgg16": vgg16, "transformer": transformer,
}


def layer_names(name: str, classes: int | None = None) -> list[str]:
    """The units of a network by name, in order, without making its weights.

    Raises ValueError for an unknown name.
    """
    with torch.device("meta"):
        return [unit for unit, _ in build(name, classes, 0).units]


def build(name: str, classes: int | None, seed: int) -> Network:
    """A network by name, its weights drawn from `seed`; torch's global generator stays as it was.

    Without `classes` it has as many as is usual: 1,000, the two small ones 10.  Raises ValueError
    for an unknown name.
    """
    if name not in NETWORKS:
        raise ValueError(unknown("network", name, list(NETWORKS)))
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        return NETWORKS[name](classes) if classes else NETWORKS[name]()
