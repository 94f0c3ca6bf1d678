"""Cutting a network into contiguous stages, balanced by what its units cost."""

from __future__ import annotations

import copy
import itertools
from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import nn
from torch.utils.flop_counter import FlopCounterMode

from sim.wording import plural


@dataclass(frozen=True)
class Network:
    """A network as a list of units, to be cut into stages only between them.

    `units` are (name, module) pairs in order; every one owns parameters, so that every stage does.
    `classes` is the size of the output, `image_size` the side in pixels of the images it is meant
    for, `halves` the number of units before the cut that tradition makes in two (None: no
    tradition).
    """

    name: str
    units: tuple[tuple[str, nn.Module], ...]
    classes: int
    image_size: int
    halves: int | None = None

    @property
    def parameters(self) -> int:
        """Numbers to learn, over all units."""
        return sum(p.numel() for _, unit in self.units for p in unit.parameters())


def flops(network: Network, image_size: int | None = None) -> list[int]:
    """Floating-point operations of each unit's forward on one image of `image_size` pixels a side.

    Counted on meta tensors, so nothing is computed.
    """
    side = image_size or network.image_size
    here, found = torch.empty(1, 3, side, side, device="meta"), []
    for _, unit in network.units:
        with FlopCounterMode(display=False) as counter, torch.no_grad():
            here = _on_meta(unit)(here)
        found.append(int(counter.get_total_flops()))
    return found


def _on_meta(unit: nn.Module) -> nn.Module:
    return copy.deepcopy(unit).to("meta").eval()


def boundaries(network: Network, stages: int, costs: Sequence[float] | None = None) -> list[int]:
    """Where each stage ends, as unit counts from the start; the last is the number of units.

    Two stages are cut at the network's traditional place unless costs are given.  Otherwise the
    dearest stage is as cheap as it can be under `costs` (one per unit; by default forward FLOPs
    of one image).  Raises ValueError where there are fewer units than stages.
    """
    units = len(network.units)
    if not 1 <= stages <= units:
        raise ValueError(f"{network.name} can be cut in 1 to {units} stages, got {stages}")
    if stages == 2 and network.halves is not None and costs is None:
        return [network.halves, units]
    given = list(costs) if costs is not None else [float(f) for f in flops(network)]
    if len(given) != units:
        raise ValueError(f"{network.name} has {units} units, got {len(given)} costs")
    return balanced(given, stages)


def given_ends(network: Network, stages: int, layers: Sequence[int]) -> list[int]:
    """Where each stage ends that has so many of the network's `layers` (its units), none empty.

    In the form of `boundaries`.  Raises ValueError where they are not all of the network's, or not
    for that many `stages`.
    """
    units = len(network.units)
    if len(layers) != stages:
        raise ValueError(f"the cut has {plural(len(layers), 'stage')}, the program {stages}")
    if sum(layers) != units or min(layers) < 1:
        raise ValueError(f"the cut has {' + '.join(map(str, layers))} = {sum(layers)} layers, "
                         f"{network.name} {units}: "
                         + ", ".join(name for name, _ in network.units))
    return list(itertools.accumulate(layers))


def balanced(costs: Sequence[float], stages: int) -> list[int]:
    """Ends of `stages` contiguous groups, none empty, whose dearest costs as little as can be.

    Ends are counts of `costs` from the start; the last is `len(costs)`.
    """
    total = [0.0, *itertools.accumulate(costs)]
    best: list[tuple[float, list[int]]] = [(cost, [end]) for end, cost in enumerate(total)]
    for groups in range(2, stages + 1):
        best = [min(((max(best[cut][0], total[end] - total[cut]), [*best[cut][1], end])
                     for cut in range(groups - 1, end)), default=(float("inf"), []))
                for end in range(len(total))]
    return best[-1][1]


def cut(network: Network, ends: Sequence[int]) -> list[nn.Sequential]:
    """The stages of a network, each a Sequential of its units under their own names.

    `ends` are unit counts from the start, as `boundaries` gives them.
    """
    starts = [0, *ends[:-1]]
    return [nn.Sequential(OrderedDict(network.units[a:b])) for a, b in zip(starts, ends,
                                                                          strict=True)]
