"""Schedules: one file each, a small generator from device and shape to compute instructions."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from sim.order.program import Generate, Program
from sim.order.replicated import spread
from sim.order.shape import PipelineShape
from sim.registry import Registry, readable


@dataclass(frozen=True)
class Schedule:
    """A named order: `generate(device, shape)` yields instructions, single ones or blocks.

    `chunks` says that it can put several stages on a device, `in_flight` that it can bound the
    mini-batches under way, `refuse` raises ValueError for a shape it has no order for.
    """

    name: str
    rule: str
    source: str
    generate: Generate
    chunks: bool = False
    in_flight: bool = False
    refuse: Callable[[PipelineShape], object] | None = None

    def check(self, shape: PipelineShape) -> None:
        """Raise ValueError with the reason where this schedule has no order for a shape."""
        if shape.chunks > 1 and not self.chunks:
            able = [each for each in SCHEDULES if each.chunks]
            raise ValueError(f"{self.name} has one stage per device; chunks are for "
                             f"{', '.join(each.name for each in able)}")
        if shape.in_flight is not None and not self.in_flight:
            able = [each for each in SCHEDULES if each.in_flight]
            raise ValueError(f"{self.name} has its own number of mini-batches in flight; in_flight "
                             f"is for {', '.join(each.name for each in able)}")
        if self.refuse is not None:
            self.refuse(shape)

    def program(self, shape: PipelineShape) -> Program:
        """The order of one worker, or of several alike.  Raises ValueError as `check` does."""
        self.check(shape)
        return spread(Program.build(self.generate, shape.of_worker), shape)


SCHEDULES: Registry[Schedule] = Registry("schedule", "sim.schedules")
readable(SCHEDULES)


def schedule(name: str, *, rule: str, source: str, chunks: bool = False, in_flight: bool = False,
             refuse: Callable[[PipelineShape], object] | None = None
             ) -> Callable[[Generate], Generate]:
    """Register the decorated generator under `name`; see `Schedule` for the options."""

    def register(generate: Generate) -> Generate:
        SCHEDULES.register(
            name, Schedule(name, rule, source, generate, chunks, in_flight, refuse))
        return generate

    return register
