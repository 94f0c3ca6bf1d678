"""The engines by name: all give the same times, but only one can do every dispatch."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial

import numpy as np

from sim.errors import ConfigurationError, unknown
from sim.kernels.pairs import NUMBA, NUMPY, Kernels, choose
from sim.order.program import Program
from sim.times.cluster import Cluster
from sim.times.costs import CostModel
from sim.times.engine import simulate
from sim.times.exact.timeline import Method, timeline
from sim.times.expanded.expand import Simulate, expand
from sim.times.shared.engine import simulate_shared
from sim.times.shared.machine import SharedMachine
from sim.times.timeline import Timeline


@dataclass(frozen=True)
class Engine:
    """A way to compute a timeline.

    `method` is how the exact engine goes about it (None: the event-driven engine does it instead),
    `make` that of the kernels (None: chosen by the size of the run).
    """

    method: Method | None
    make: Kernels | None = None

    def kernels(self, rows: int, in_all: int | None = None) -> Kernels:
        """The make of kernels for a run of `rows`, one of several that have `in_all` together."""
        return self.make or choose(rows, in_all)


ENGINES = {
    "auto": Engine("auto"),
    "simpy": Engine(None, NUMPY),
    "exact": Engine("auto"),
    "exact-plain": Engine("plain", NUMPY),
    "exact-periodic": Engine("periodic", NUMPY),
    "exact-compiled": Engine("auto", NUMBA),
}


def kernels_of(name: str, rows: int, in_all: int | None = None) -> Kernels:
    """The make of kernels for a run of `rows` under the engine called `name`.

    The run is one of several that have `in_all` rows together.  Raises ValueError for an unknown
    name.
    """
    return _named(name).kernels(rows, in_all)


def engine_of(name: str, dispatch: str, kernels: Kernels | None = None,
              machine: SharedMachine | None = None) -> Simulate:
    """The function that computes a timeline from a program, costs, cluster and random generator.

    `auto` is `exact` wherever the order is fixed beforehand and every instruction has seconds of
    its own, and `simpy` elsewhere: under greedy dispatch, or on a `machine` whose devices share
    something.  Without `kernels` they are those of the engine for the program's rows.
    Raises ConfigurationError where the engine named cannot do it.
    """
    engine = _named(name)
    simulating = _plain(name, engine, dispatch, kernels, machine)
    return partial(_expanded, simulating, dispatch, machine is not None)


def _plain(name: str, engine: Engine, dispatch: str, kernels: Kernels | None,
           machine: SharedMachine | None) -> Simulate:
    """The function for programs that hold nothing an engine does not know."""
    if machine is not None:
        _refuse_shared(name, engine, dispatch, machine)
        return partial(simulate_shared, machine=machine, dispatch=dispatch)
    if engine.method is None or (name == "auto" and dispatch != "static"):
        return partial(simulate, dispatch=dispatch)
    if dispatch != "static":
        raise ConfigurationError([
            f"--engine: {name} computes the times of an order fixed beforehand, and under "
            f"pipeline.dispatch = {dispatch!r} the order depends on time; choose auto or simpy"])
    return partial(_exactly, engine, engine.method, kernels)


def _expanded(simulating: Simulate, dispatch: str, shares: bool, program: Program,
              costs: CostModel, cluster: Cluster, rng: np.random.Generator) -> Timeline:
    """The timeline of any program, by a function for those that an engine knows all of."""
    expansion = expand(program, costs, cluster)
    what = ("pairs" if len(program.pairs) else "messages of its own" if program.lowered else
            "updates that wait for each other")
    if dispatch != "static" and (expansion is not None or len(program.pairs)):
        raise ConfigurationError([
            f"pipeline.dispatch: the order of a program with {what} is part of it, so static, got "
            f"{dispatch}"])
    if expansion is None:
        return simulating(program, costs, cluster, rng)
    if shares and expansion.more:
        raise ConfigurationError([
            "costs.profile: how rows slow each other (beside, issue_s) is not measured for a "
            f"program with {what}"])
    return expansion.folded(simulating(expansion.program, expansion.costs, expansion.cluster,
                                       rng))


def _refuse_shared(name: str, engine: Engine, dispatch: str, machine: SharedMachine) -> None:
    if engine.method is not None and name != "auto":
        raise ConfigurationError([
            f"--engine: {name} adds up seconds that every instruction has of its own, and by "
            "costs.profile they depend on what runs beside it (beside) or on its host (issue_s); "
            "choose auto or simpy"])
    if machine.hosts is not None and dispatch != "static":
        raise ConfigurationError([
            "pipeline.dispatch: by costs.profile hosts ask for instructions ahead of the device "
            f"(issue_s), and under {dispatch!r} the order is not known ahead; choose static"])


def _exactly(engine: Engine, method: Method, kernels: Kernels | None, program: Program,
             costs: CostModel, cluster: Cluster, rng: np.random.Generator) -> Timeline:
    return timeline(program, costs, cluster, rng, method=method,
                    kernels=kernels or engine.kernels(len(program)))


def _named(name: str) -> Engine:
    if name not in ENGINES:
        raise ValueError(unknown("engine", name, list(ENGINES)))
    return ENGINES[name]
