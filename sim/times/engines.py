"""Which engine adds the times: all give the same numbers, one of them serves every dispatch."""

from __future__ import annotations

from collections.abc import Callable
from functools import partial

from sim.errors import ConfigurationError
from sim.times.engine import Timeline, simulate
from sim.times.exact import METHODS, timeline

ENGINES = ("auto", "simpy", "exact", *(f"exact-{method}" for method in METHODS[1:]))


def engine_of(name: str, dispatch: str) -> Callable[..., Timeline]:
    """What takes program, costs, cluster and generator, and gives the timeline.

    `auto` is `exact` wherever the order is fixed beforehand, and `simpy` elsewhere.
    Raises ConfigurationError where the engine named cannot do it.
    """
    if name not in ENGINES:
        raise ValueError(f"engine {name!r} is unknown; choose from {', '.join(ENGINES)}")
    if name == "simpy" or (name == "auto" and dispatch != "static"):
        return partial(simulate, dispatch=dispatch)
    if dispatch != "static":
        raise ConfigurationError([
            f"--engine: {name} computes the times of an order fixed beforehand, and under "
            f"pipeline.dispatch = {dispatch!r} the order depends on time; choose auto or simpy"])
    return partial(timeline, method="auto" if name == "auto" else METHODS[ENGINES.index(name) - 2])
