"""Each pass over rows that finds times, in every make: NumPy, plain loops, and compiled ones."""

from __future__ import annotations

import copy
from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, NamedTuple

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sim.experiment.run import generate
from sim.experiment.setup import cost_model, make_cluster, stage_sizes
from sim.kernels import lanes, recurrence, seconds
from sim.kernels.pairs import Kernels, Pair, compile_loops, installed
from sim.numerics.tasks import stream
from sim.times.engine import simulate
from sim.times.exact.timeline import timeline
from sim.times.replicas.replicate import replicate
from tests.sim.experiments import experiment
from tests.sim.strategies import names, shapes, timings
from tests.sim.times.engines import assert_equal
from tests.sim.times.test_agreement import windows
from tests.sim.times.test_replicas import replica

PAIRS = {name: pair for room in (lanes, recurrence, seconds)
         for name, pair in vars(room).items() if isinstance(pair, Pair)}
LAYING_OUT = lanes.LAY_OUT  # whose answer is only for the same make's `EXECUTE`


class EachMakes(NamedTuple):
    """What a pass answered in every make."""

    answers: list[Any]

    @property
    def kept(self) -> int:
        return max(answer.kept for answer in self.answers)


@dataclass(frozen=True)
class EveryMake(Kernels):
    """NumPy's kernels, but of `tested` run in every make: all that they answer and change is
    compared."""

    tested: tuple[Pair, ...] = ()
    asked: Counter[Pair] = field(default_factory=Counter)

    def of(self, pair: Pair) -> Callable[..., Any]:
        if pair not in self.tested:
            return pair.numpy
        makes = [pair.numpy, pair.loops, *([compile_loops(pair.loops)] if installed() else [])]

        def compared(*given: Any) -> Any:
            self.asked[pair] += 1
            each = [[a.answers[n] if isinstance(a, EachMakes) else copy.deepcopy(a)
                     for a in given] for n in range(1, len(makes))]
            first = [a.answers[0] if isinstance(a, EachMakes) else a for a in given]
            answers = [make(*args) for make, args in zip(makes, [first, *each], strict=True)]
            if pair is LAYING_OUT:
                return EachMakes(answers)
            for args, answer in zip(each, answers[1:], strict=True):
                same(answers[0], answer)
                for one, other, its_own in zip(first, args, given, strict=True):
                    if not isinstance(its_own, EachMakes):
                        same(one, other)
            return answers[0]

        return compared


def same(one: Any, other: Any) -> None:
    """Equal to the bit, and of one type."""
    if isinstance(one, tuple):
        for a, b in zip(one, other, strict=True):
            same(a, b)
    elif isinstance(one, np.ndarray):
        assert one.dtype == other.dtype
        assert one.tobytes() == other.tobytes()
    else:
        assert one == other


@st.composite
def experiments(draw):
    shape = draw(shapes(4, 8, (1, 2, 3)))
    keys = draw(timings(shape.stages))
    if draw(st.booleans()):
        keys["stragglers"] = draw(windows(shape.stages))
    return experiment(schedule=draw(names), stages=shape.stages, minibatches=shape.minibatches,
                      microbatches=shape.microbatches, task="none", **keys)


@pytest.mark.parametrize("name", sorted(PAIRS))
@settings(deadline=None, max_examples=30)
@given(experiments(), st.booleans(), st.booleans())
def test_both_makes_of_a_pass_give_the_same_bits(name, given_, lowered, columns):
    of_lanes = (LAYING_OUT, lanes.EXECUTE)
    tested = of_lanes if PAIRS[name] in of_lanes else (PAIRS[name],)
    kernels = EveryMake("every", True, tested)
    program = generate(given_)
    program = program.lower() if lowered else program
    costs = cost_model(given_, None)
    cluster = make_cluster(given_, None, stage_sizes(given_, None, None))
    found = timeline(program, costs, cluster, stream(0, "jitter"), kernels=kernels)
    assert_equal(found, simulate(program, costs, cluster, stream(0, "jitter")))
    replicate(program, [replica(given_, seed) for seed in range(3)], columns=columns,
              kernels=kernels)
    links_take_time = program.shape.stages == 1 or not cluster.boundary_bytes.any()
    rarely = {"TRANSFERS_OF_ROWS": links_take_time, "LAY_OUT": bool(costs.stragglers),
              "EXECUTE": bool(costs.stragglers)}
    assert kernels.asked[PAIRS[name]] or rarely.get(name)


def test_all_pairs_of_these_rooms_are_looked_at():
    assert set(PAIRS) == {"SECONDS_OF_ROWS", "TRANSFERS_OF_ROWS", "ADVANCE", "EXPECT_MESSAGES",
                          "LAY_OUT", "EXECUTE"}
