"""Cuts are the best there are: every cut of small networks looked at, both objectives."""

from __future__ import annotations

import math
import random
import time
from collections.abc import Sequence
from dataclasses import replace
from itertools import pairwise

import pytest

from analysis.cuts.plans import partition, plans
from analysis.cuts.problem import Level, Plan, Problem
from sim.errors import ConfigurationError
from sim.layouts.graph import read_graph
from sim.layouts.layers import narrow_in
from sim.times.profile import Profile
from tests.oracles.cuts import Asked, Layer, endless, endless_of, flushed, flushed_of

pytestmark = pytest.mark.filterwarnings("error")


def profile(layers: Sequence[Layer]) -> Profile:
    stages = [{"forward_s": layer["t"] / 4, "backward_s": 3 * layer["t"] / 4,
               "weight_bytes": layer["w"], "activation_bytes": layer["a"]} for layer in layers]
    return Profile.model_validate({
        "format": "pipestale-profile", "version": 1, "stages": stages,
        "boundary_bytes": [layer["sent"] for layer in layers[:-1]]})


def problem(asked: Asked, layers: Profile | None = None) -> Problem:
    places = tuple(asked.places) if layers is None else narrow_in(layers)
    return Problem(layers or profile(asked.layers), tuple(Level(*each) for each in asked.levels),
                   "flush" if asked.flush else "throughput", asked.microbatches, asked.replicas,
                   asked.limit, places, asked.order if asked.flush else None, asked.mitigation,
                   state_copies=asked.copies, transfers=asked.messages)


def drawn(dice: random.Random, levels: int = 1, layers: Sequence[Layer] = (),
          places: Sequence[int] = ()) -> Asked:
    """What is asked of a network, a random chain with places to cut it where none is given."""
    if not layers:
        layers = [{"t": dice.choice([0.0, 0.5, 1.0, dice.random(), 8 * dice.random()]),
                   "w": dice.choice([0.0, 1.0, 10 * dice.random()]), "a": 4 * dice.random(),
                   "sent": dice.choice([0.0, 1.0, 6 * dice.random()])}
                  for _ in range(dice.randint(1, 6))]
        places = [p for p in range(len(layers) - 1) if dice.random() < 0.8]
    flush, replicas = dice.random() < 0.5, dice.random() < 0.6
    return Asked(layers, places,
                 [(dice.randint(1, 4 if levels == 1 else 2),
                   dice.choice([math.inf, 1.0, 4.0, 20.0]), dice.choice([0.0, 0.01]))
                  for _ in range(levels)],
                 flush, dice.choice([1, 2, 3, 8]) if flush or not replicas else 1, replicas,
                 dice.choice([math.inf, 15.0, 30.0, 60.0]), dice.choice(["stash", "none"]),
                 dice.choice(["1f1b", "gpipe", "eager-1f1b"]), dice.choice([0.0, 2.0]),
                 flush and dice.random() < 0.3)


def agree(asked: Asked, layers: Profile | None = None) -> None:
    """The product's cuts are as good as the best by looking at all, and are what they say."""
    best = flushed(asked) if asked.flush else endless(asked)
    if not best:
        with pytest.raises(ConfigurationError):
            plans(problem(asked, layers))
        return
    found = plans(problem(asked, layers))
    assert [each.objective_s for each in found] == pytest.approx(sorted(best.values()), rel=1e-12,
                                                                 abs=1e-12)
    assert partition(problem(asked, layers)).objective_s == pytest.approx(found[0].objective_s,
                                                                          rel=1e-12)
    limit = found[0].objective_s * 1.3
    assert plans(problem(asked, layers), 0.3) == [each for each in found
                                                  if each.objective_s <= limit]
    for each in [*found, partition(problem(asked, layers))]:
        is_a_cut(each, asked)
    if len(asked.levels) == 1 or asked.flush:
        assert {len(each.stages) for each in found} == set(best)


def is_a_cut(plan: Plan, asked: Asked) -> None:
    """Its stages follow each other, on devices there are, and cost what it says."""
    stages = plan.stages
    assert (stages[0].first, stages[-1].last) == (0, len(asked.layers) - 1)
    assert all(a.last + 1 == b.first and a.last in asked.places
               for a, b in pairwise(stages))
    devices = math.prod(level[0] for level in asked.levels)
    assert plan.devices == devices if asked.flush and asked.replicas else plan.devices <= devices
    assert max(each.seconds for each in stages) <= plan.bottleneck_s * (1 + 1e-12)
    if asked.flush or len(asked.levels) == 1:
        cost = flushed_of if asked.flush else endless_of
        assert plan.objective_s == pytest.approx(cost(
            asked, [(each.first, each.last) for each in stages],
            [each.replicas for each in stages]), rel=1e-12, abs=1e-12)


@pytest.mark.parametrize("seed", range(60))
def test_cuts_of_random_networks_are_the_best_there_are(seed):
    agree(drawn(random.Random(seed)))


@pytest.mark.parametrize("seed", range(30))
def test_cuts_for_networks_of_several_levels_are_the_best_there_are(seed):
    dice = random.Random(seed)
    agree(drawn(dice, dice.choice([2, 2, 3])))


@pytest.mark.verify
@pytest.mark.parametrize("seed", range(60, 1060))
def test_cuts_of_a_thousand_random_networks_are_the_best_there_are(seed):
    agree(drawn(random.Random(seed)))


@pytest.mark.verify
@pytest.mark.parametrize("seed", range(30, 530))
def test_cuts_for_many_networks_of_several_levels_are_the_best_there_are(seed):
    dice = random.Random(seed)
    agree(drawn(dice, dice.choice([2, 2, 3])))


def branching(dice: random.Random, folder) -> tuple[list[Layer], list[int], Profile]:
    """A random graph.txt: its layers in order, where one output alone crosses, and as it is read.

    Each layer but the first needs the one before it or an earlier one, and some need two.
    """
    many = dice.randint(2, 7)
    needs = {k: set(dice.choices(range(max(0, k - 3), k), k=dice.choice([1, 1, 2])))
             for k in range(1, many)}
    nodes = [(dice.randint(0, 20), dice.randint(1, 8), dice.randint(0, 9)) for _ in range(many)]
    text = "".join(f"n{k} -- Linear() -- forward_compute_time={1000 * t}, backward_compute_time="
                   f"{2000 * t}, activation_size={a}, parameter_size={w}\n"
                   for k, (t, a, w) in enumerate(nodes))
    text += "".join(f"\tn{a} -- n{b}\n" for b, before in needs.items() for a in sorted(before))
    (folder / "graph.txt").write_text(text)
    crossing = [{a for b, before in needs.items() for a in before if a <= p < b}
                for p in range(many - 1)]
    layers: list[Layer] = [
        {"t": 3.0 * t, "w": float(w), "a": float(a), "sent": float(sent)}
        for (t, a, w), sent in zip(nodes, [*(sum(nodes[a][1] for a in each) for each in crossing),
                                           0], strict=True)]
    return layers, [p for p, each in enumerate(crossing) if len(each) <= 1], \
        read_graph(folder / "graph.txt")


@pytest.mark.parametrize("seed", range(40))
def test_graphs_with_branches_are_cut_where_one_output_alone_crosses(seed, tmp_path):
    dice = random.Random(seed)
    layers, places, read = branching(dice, tmp_path)
    assert narrow_in(read) == tuple(places)
    agree(drawn(dice, layers=layers, places=places), read)


@pytest.mark.verify
@pytest.mark.parametrize("seed", range(40, 540))
def test_many_graphs_with_branches_are_cut_as_well_as_can_be(seed, tmp_path):
    dice = random.Random(seed)
    layers, places, read = branching(dice, tmp_path)
    agree(drawn(dice, layers=layers, places=places), read)


@pytest.mark.parametrize(("sent", "stages", "seconds"), [
    ([1, 1, 1], [(0, 2, 3), (3, 3, 1)], 10 / 3), ([1, 9, 1], [(0, 2, 3), (3, 3, 1)], 10 / 3),
    ([1, 1, 9], [(0, 1, 3), (2, 3, 1)], 4.0)])
def test_pipedreams_worked_example(sent, stages, seconds):
    """Layers of 4, 4, 2, 2 s, the last with 8 bytes of weights, 4 bytes/s, four devices."""
    layers: list[Layer] = [{"t": t, "w": w, "a": 0.0, "sent": s}
                           for t, w, s in zip((4, 4, 2, 2), (0, 0, 0, 8), [*sent, 0], strict=True)]
    found = partition(problem(Asked(layers, [0, 1, 2], [(4, 4.0, 0.0)], False, replicas=True)))
    assert [(each.first, each.last, each.replicas) for each in found.stages] == stages
    assert found.objective_s == pytest.approx(seconds, rel=1e-15)


def test_copies_that_share_nothing_are_all_there_is_to_a_flush():
    """Without weights to exchange, one stage on all devices has both the least sum and the least
    largest; a memory limit makes the rest."""
    layers: list[Layer] = [{"t": 1.0 + k, "w": 10.0, "a": 1.0, "sent": 1.0} for k in range(6)]
    asked = Asked(layers, range(5), [(4, math.inf, 0.0)], True, 8, True, copies=0.0)
    assert [(each.first, each.last, each.replicas)
            for each in partition(problem(asked)).stages] == [(0, 5, 4)]
    tight = partition(problem(replace(asked, limit=35.0)))
    assert [(each.first, each.last, each.replicas) for each in tight.stages] == [
        (0, 1, 1), (2, 4, 2), (5, 5, 1)]
    assert tight.objective_s == 3 + 12 / 2 + 6 + 7 * 6


@pytest.mark.verify
@pytest.mark.parametrize(("objective", "limit"), [
    ("throughput", math.inf), ("throughput", 8e8), ("flush", math.inf), ("flush", 1.5e8)])
@pytest.mark.parametrize("bandwidth", [math.inf, 1e7, 1e6])
def test_two_hundred_layers_are_cut_for_64_devices_in_ten_seconds(objective, limit, bandwidth):
    """Of this process alone: others may be waiting for the same cores."""
    dice = random.Random(2)
    layers: list[Layer] = [{"t": dice.lognormvariate(0, 1), "w": 1e6 * dice.lognormvariate(0, 1),
                            "a": 1e6 * dice.lognormvariate(0, 1),
                            "sent": 1e5 * dice.lognormvariate(0, 1)} for _ in range(200)]
    asked = Asked(layers, range(199), [(64, bandwidth, 1e-5)], objective == "flush",
                  64 if objective == "flush" else 1, True, limit)
    began = time.process_time()
    found = partition(problem(asked))
    assert time.process_time() - began < 10
    is_a_cut(found, asked)
