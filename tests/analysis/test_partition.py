"""Cuts are the best there are: every cut of small networks looked at, both objectives."""

from __future__ import annotations

import math
import random
from collections.abc import Sequence

import pytest

from analysis.cuts.plans import plans
from analysis.cuts.problem import Level, Problem
from sim.errors import ConfigurationError
from sim.times.profile import Profile
from tests.oracles.cuts import Asked, Layer, endless, flushed

pytestmark = pytest.mark.filterwarnings("error")


def profile(layers: Sequence[Layer]) -> Profile:
    stages = [{"forward_s": layer["t"] / 4, "backward_s": 3 * layer["t"] / 4,
               "weight_bytes": layer["w"], "activation_bytes": layer["a"]} for layer in layers]
    return Profile.model_validate({
        "format": "pipestale-profile", "version": 1, "stages": stages,
        "boundary_bytes": [layer["sent"] for layer in layers[:-1]]})


def problem(asked: Asked) -> Problem:
    schedule = asked.order if asked.flush else None
    return Problem(profile(asked.layers), tuple(Level(*level) for level in asked.levels),
                   "flush" if asked.flush else "throughput", asked.microbatches, asked.replicas,
                   asked.limit, tuple(asked.places), schedule, asked.mitigation,
                   state_copies=asked.copies, transfers=asked.messages)


def drawn(dice: random.Random, levels: int = 1) -> Asked:
    """A random chain, or blocks of layers between narrow places, and what is asked of it."""
    many = dice.randint(1, 6)
    layers = [{"t": dice.choice([0.0, 0.5, 1.0, dice.random(), 8 * dice.random()]),
               "w": dice.choice([0.0, 1.0, 10 * dice.random()]), "a": 4 * dice.random(),
               "sent": dice.choice([0.0, 1.0, 6 * dice.random()])} for _ in range(many)]
    places = [p for p in range(many - 1) if dice.random() < 0.8]
    flush = dice.random() < 0.5
    width = 4 if levels == 1 else 2
    replicas = dice.random() < 0.6
    return Asked(layers, places,
                 [(dice.randint(1, width), dice.choice([math.inf, 1.0, 4.0, 20.0]),
                   dice.choice([0.0, 0.01])) for _ in range(levels)],
                 flush, dice.choice([1, 2, 3, 8]) if flush or not replicas else 1, replicas,
                 dice.choice([math.inf, 15.0, 30.0, 60.0]), dice.choice(["stash", "none"]),
                 dice.choice(["1f1b", "gpipe", "eager-1f1b"]), dice.choice([0.0, 2.0]),
                 flush and dice.random() < 0.3)


def agree(asked: Asked) -> None:
    best = flushed(asked) if asked.flush else endless(asked)
    if not best:
        with pytest.raises(ConfigurationError):
            plans(problem(asked))
        return
    found = plans(problem(asked))
    top = {len(each.stages): each.objective_s for each in found}
    if len(asked.levels) == 1 or asked.flush:
        assert top == pytest.approx(best, rel=1e-12, abs=1e-12)
    assert found[0].objective_s == pytest.approx(min(best.values()), rel=1e-12, abs=1e-12)
    for each in found:
        assert each.stages[0].first == 0
        assert each.stages[-1].last == len(asked.layers) - 1
        assert all(a.last + 1 == b.first and a.last in asked.places
                   for a, b in zip(each.stages, each.stages[1:], strict=False))
        assert each.devices <= math.prod(level[0] for level in asked.levels)


@pytest.mark.parametrize("seed", range(150))
def test_cuts_of_random_networks_are_the_best_there_are(seed):
    agree(drawn(random.Random(seed)))


@pytest.mark.parametrize("seed", range(150))
def test_cuts_for_networks_of_two_levels_are_the_best_there_are(seed):
    dice = random.Random(seed)
    agree(drawn(dice, dice.choice([2, 2, 3])))
