"""What hypothesis draws for shared machines: programs of one worker, costs, links, factors."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from hypothesis import strategies as st

from sim.op import Op
from sim.order.program import Program
from sim.times.cluster import Cluster, Link
from sim.times.costs import CostModel, Straggler
from sim.times.places import COMPUTE
from sim.times.shared.engine import simulate_shared
from sim.times.shared.machine import Hosts, SharedMachine
from sim.times.timeline import Timeline
from tests.sim.strategies import made, placed

FORMS = ["whole", "lowered", "halved", "halved and lowered"]


@dataclass(frozen=True)
class Case:
    program: Program
    costs: CostModel
    cluster: Cluster
    machine: SharedMachine

    def times(self, **changed: Any) -> Timeline:
        given = {**vars(self), **changed}
        return simulate_shared(given.pop("program"), given.pop("costs"), given.pop("cluster"),
                               np.random.default_rng(7), **given)


@st.composite
def programs(draw: Any, forms: list[str] = FORMS) -> Program:
    """A schedule's program of one worker, as it is, with halves, with messages."""
    form = draw(st.sampled_from(forms))
    program = made(draw(placed(workers=1)), form.partition(" ")[0])
    return program.lower() if "lowered" in form else program


@st.composite
def hosts(draw: Any, stages: int) -> Hosts:
    issue = np.zeros((len(Op), stages))
    for op in COMPUTE:
        issue[op] = draw(st.lists(st.sampled_from([0.0, 0.1, 0.4, 1.7]), min_size=stages,
                                  max_size=stages))
    names_ = draw(st.lists(st.sampled_from("xyz"), min_size=stages, max_size=stages))
    return Hosts(tuple(names_), draw(st.sampled_from([0.0, 0.6, 1.0])), issue)


@st.composite
def factors(draw: Any, stages: int, least: float = 0.5) -> dict[Any, float]:
    kinds = [(int(op), k) for op in COMPUTE for k in range(stages)]
    pairs = st.tuples(st.sampled_from(kinds), st.sampled_from(kinds))
    return draw(st.dictionaries(pairs, st.floats(least, 4.0), max_size=12))


@st.composite
def cases(draw: Any, forms: list[str] = FORMS, jitter: bool = False, least: float = 0.5,
          with_hosts: bool | None = None) -> Case:
    program = draw(programs(forms))
    stages = program.shape.stages

    def each(values: Any, size: int = stages) -> Any:
        return np.array(draw(st.lists(values, min_size=size, max_size=size)), dtype=float)

    some = st.floats(0.01, 3.0)
    halves = [each(some) if draw(st.booleans()) else None for _ in range(2)]
    windows = [Straggler(draw(st.integers(0, stages - 1)), 0.5, 4.0, 2.5)
               for _ in range(draw(st.integers(0, 2)))] if jitter else []
    costs = CostModel(each(some), each(some), each(st.sampled_from([0.0, 0.25])), 0 * each(some),
                      draw(st.booleans()), 0.3 if jitter else 0.0, tuple(windows), None, *halves)
    link = Link(draw(st.sampled_from([0.0, 0.3, 4.0])), draw(st.sampled_from([np.inf, 7.7])),
                draw(st.booleans()))
    cluster = Cluster(link, each(st.sampled_from([0.0, 9.0]), stages - 1), np.zeros(stages))
    hardware = draw(st.lists(st.sampled_from("abc"), min_size=stages, max_size=stages))
    asked = draw(st.booleans()) if with_hosts is None else with_hosts
    machine = SharedMachine(tuple(hardware), draw(factors(stages, least)),
                            draw(hosts(stages)) if asked else None)
    return Case(program, costs, cluster, machine)
