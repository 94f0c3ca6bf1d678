"""The named orders as starts, and where they have stages live."""

from __future__ import annotations

from contextlib import suppress

from analysis.ordering.problem import OrderProblem
from analysis.ordering.streams import Pass, streams_of
from sim.order.shape import PipelineShape
from sim.schedules import SCHEDULES


def named_orders(problem: OrderProblem) -> dict[str, list[list[Pass]]]:
    """The streams of named orders, by name, that place stages as the problem does."""
    return {name: streams for name, (homes, streams) in placed_orders(problem).items()
            if homes == tuple(problem.device.tolist())}


def placed_orders(problem: OrderProblem
                  ) -> dict[str, tuple[tuple[int, ...], list[list[Pass]]]]:
    """Where named orders of as many devices place the stages, and their streams, by name.

    One mini-batch of an order that does not flush is one that does.  Left out are those that have
    no order for such a shape, copies of a stage, or a pass of several micro-batches; pairs that an
    order issues as one count as two passes.
    """
    chunks, rest = divmod(problem.stages, problem.devices)
    if rest:
        return {}
    shape = PipelineShape(problem.stages, 1, problem.microbatches, chunks)
    found = {}
    for schedule in SCHEDULES:
        with suppress(ValueError):  # it has no order for the shape, or none of such passes
            program = schedule.program(shape)
            if not program.several:
                found[schedule.name] = tuple(program.home[0].tolist()), streams_of(program)
    return found
