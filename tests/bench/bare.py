"""Bare SimPy models of the same pipeline, as a user of SimPy would write them: nothing recorded."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

import simpy

from tests.bench.measure import Sizes

LATENCY_S = 0.25


class ProcessLink:
    """A connection with latency: a process a message.  Source: SimPy documentation, "Event
    Latency"."""

    def __init__(self, env: simpy.Environment) -> None:
        self.env, self.store = env, simpy.Store(env)

    def latency(self, value: int) -> Iterator[Any]:
        yield self.env.timeout(LATENCY_S)
        self.store.put(value)

    def put(self, value: int) -> None:
        self.env.process(self.latency(value))

    def get(self) -> Any:
        return self.store.get()


class CallbackLink(ProcessLink):
    """The same with a timeout and its callback a message."""

    def put(self, value: int) -> None:
        arrival = self.env.timeout(LATENCY_S)
        arrival.callbacks.append(lambda _: self.store.put(value))


def turns(stage: int, stages: int, minibatches: int) -> Iterator[tuple[str, int]]:
    """Forwards ahead, then backward and forward in turn, never a flush."""
    ahead = min(stages - stage, minibatches)
    for i in range(ahead):
        yield "forward", i
    for i in range(minibatches):
        yield "backward", i
        if i + ahead < minibatches:
            yield "forward", i + ahead


def bare(sizes: Sizes, link: type[ProcessLink]) -> Callable[[], float]:
    """A process a stage, a link each way between neighbours, nothing recorded."""
    stages, minibatches = sizes["stages"], sizes["minibatches"]

    def model() -> float:
        env = simpy.Environment()
        activations, gradients = ([link(env) for _ in range(stages)] for _ in range(2))

        def stage(k: int) -> Iterator[Any]:
            for task, i in turns(k, stages, minibatches):
                if task == "forward":
                    if k > 0:
                        yield activations[k].get()
                    yield env.timeout(1.0)
                    if k < stages - 1:
                        activations[k + 1].put(i)
                else:
                    if k < stages - 1:
                        yield gradients[k].get()
                    yield env.timeout(1.0)
                    if k > 0:
                        gradients[k - 1].put(i)

        for k in range(stages):
            env.process(stage(k))
        env.run()
        return float(env.now)

    return model
