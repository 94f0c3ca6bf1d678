"""Traces for the explorer's tests."""

from sim.experiment.configuration import resolve
from sim.experiment.run import run
from sim.trace import Trace


def simulated(pipeline: dict | None = None, training: bool = True, **more) -> Trace:
    return run(resolve({"pipeline": pipeline or {}, **more}), training=training)


def row_of(trace: Trace, instruction: str) -> int:
    (row,) = (r for r in range(len(trace)) if str(trace.instruction(r)) == instruction)
    return row
