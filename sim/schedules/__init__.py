"""Schedules: one file each, a small generator from device and shape to compute instructions."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

from sim.kernels.pairs import NUMPY, Kernels
from sim.order.program import Generate, Program
from sim.order.replicated import replicated
from sim.order.shape import PipelineShape
from sim.registry import Registry, readable


@dataclass(frozen=True)
class Schedule:
    """A named order of a pipeline's instructions.

    `generate(device, shape)` yields those of one device, single ones or parts (see
    `sim.order.authoring`); `rule` says the order in a line, `source` where it is from.  `chunks`
    says that the schedule can put several stages on a device, `in_flight` that it can bound the
    mini-batches under way, `takes` names the other options of a shape that it goes by (`warmup`,
    `round_size`, `splits`, `replicas`); `refuse` raises ValueError for a shape that it has no
    order for.  `like` is the schedule whose order it has where stages are one a device and its own
    options are left out, `homes` on how many devices each stage lives then.
    """

    name: str
    rule: str
    source: str
    generate: Generate
    chunks: bool = False
    in_flight: bool = False
    refuse: Callable[[PipelineShape], object] | None = None
    takes: tuple[str, ...] = ()
    like: str | None = None
    homes: int = 1

    def check(self, shape: PipelineShape) -> None:
        """Refuse a shape this schedule has no order for.  Raises ValueError with the reason."""
        if shape.chunks > 1 and not self.chunks:
            able = [each for each in SCHEDULES if each.chunks]
            raise ValueError(f"{self.name} has one stage per device; chunks are for "
                             f"{', '.join(each.name for each in able)}")
        if shape.in_flight is not None and not self.in_flight:
            able = [each for each in SCHEDULES if each.in_flight]
            raise ValueError(f"{self.name} has its own number of mini-batches in flight; in_flight "
                             f"is for {', '.join(each.name for each in able)}")
        for option in CHOSEN:
            if getattr(shape, option) is not None and option not in self.takes:
                those = ", ".join(each.name for each in SCHEDULES if option in each.takes)
                raise ValueError(f"{self.name} takes no {option}; it is for {those or 'none'}")
        if shape.ranks is not None:
            raise ValueError(f"{self.name} places its stages itself; ranks is of a program given")
        if shape.workers > 1 and self.has_copies(shape):
            raise ValueError(f"{self.name} has stages on several devices, which take one worker, "
                             f"got {shape.workers}")
        if self.refuse is not None:
            self.refuse(shape)
            if shape.last_microbatches is not None:
                self.refuse(shape.of_minibatch(shape.last_microbatches))

    def has_copies(self, shape: PipelineShape) -> bool:
        """Whether some stage lives on several devices, with a copy on each."""
        return self.homes > 1 or max(shape.replicas or (1,)) > 1

    def program(self, shape: PipelineShape, kernels: Kernels = NUMPY) -> Program:
        """The program of this order for a shape, alike on every worker.

        Raises ValueError as `check` does.
        """
        self.check(shape)
        own = Program.build(self.generate, shape.of_worker, kernels)
        return replicated(own, shape, kernels)


CHOSEN = ("warmup", "round_size", "splits", "replicas")  # what only schedules that name it take

SCHEDULES: Registry[Schedule] = Registry("schedule", "sim.schedules")
readable(SCHEDULES)


def schedule(name: str, *, rule: str, source: str, chunks: bool = False, in_flight: bool = False,
             refuse: Callable[[PipelineShape], object] | None = None,
             takes: tuple[str, ...] = (), like: str | None = None, homes: int = 1
             ) -> Callable[[Generate], Generate]:
    """Register the decorated generator as the schedule `name`; see `Schedule` for the options."""

    def register(generate: Generate) -> Generate:
        SCHEDULES.register(
            name, Schedule(name, rule, source, generate, chunks, in_flight, refuse, takes, like,
                           homes))
        return generate

    return register
