"""Costs and links that change with the legs of a course: seconds by row, noise by instruction."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, fields, replace
from typing import Any

import numpy as np

from analysis.drifting.course import Course
from sim.arrays import Floats
from sim.kernels.pairs import NUMPY, Kernels
from sim.op import Op
from sim.order.program import Program
from sim.times.cluster import Cluster, Link, MessageTimes, Tied
from sim.times.costs import TICK, CostModel, Straggler, Trend, quantize

# the last six are of the constructors, which those who read annotations look for here
__all__ = ["CourseCluster", "CourseCosts", "Link", "Mapping", "MessageTimes", "Straggler", "Tied",
           "Trend"]

DRAWN = (Op.F, Op.B, Op.U, Op.I, Op.W)  # in this order, so that none moves another's draws


@dataclass(frozen=True, kw_only=True)
class CourseCosts(CostModel):
    """What the rows of a course's program cost: by leg what `parts` say, (legs).

    Noise belongs to an instruction's kind, stage and micro-batch whatever the order, so that it
    strikes every policy alike, and what has been is left as it was when the order of what is to
    come changes.  Where no backward is split it is what the simulator draws.
    """

    course: Course
    parts: tuple[CostModel, ...]
    total: int

    @classmethod
    def of(cls, course: Course, parts: tuple[CostModel, ...], total: int) -> CourseCosts:
        """The costs of a course whose legs have these, all of which drift alike.

        The run it is the beginning of has `total` micro-batches.
        """
        return cls(**_own(parts[0], CostModel), course=course, parts=parts, total=total)

    def durations(self, program: Program, rng: np.random.Generator, kernels: Kernels = NUMPY
                  ) -> Floats:
        """Seconds each row takes its device before any drift, shape (rows,)."""
        if not self.jitter_sigma:
            return self.nominal_s(program)
        size = program.shape.stages, self.total
        noise = np.ones((len(Op), *size))
        for op in DRAWN if self.update_s.any() else (Op.F, Op.B, Op.I, Op.W):
            drawn = rng.standard_normal(size)
            noise[op] = np.exp(drawn * self.jitter_sigma - self.jitter_sigma**2 / 2)
        kind, stage, index, _ = program.rows
        plain = self._of_legs(program, alike=True)
        seconds: Floats = np.rint(noise[kind, stage, index] * (plain / TICK)) * TICK
        return seconds if self.slowdown is None else quantize(
            seconds * self.slowdown[program.device])

    def nominal_s(self, program: Program) -> Floats:
        """Seconds each row takes without noise and drift, shape (rows,)."""
        return self._of_legs(program)

    def _of_legs(self, program: Program, *, alike: bool = False) -> Floats:
        """Seconds by row; with `alike` as if all devices were."""
        leg, seconds = self.course.leg_of(program), np.zeros(len(program))
        for number, part in enumerate(self.parts):
            rows = np.flatnonzero(leg == number)
            seconds[rows] = (replace(part, slowdown=None) if alike else part).alone(program, rows)
        return seconds


@dataclass(frozen=True, kw_only=True)
class CourseCluster(Cluster):
    """The links under a course's program: by leg those of `parts`, and before a leg the seconds in
    which layers move.

    It has no limit on activations: legs are held to that when they are planned.
    """

    course: Course
    parts: tuple[Cluster, ...]

    @classmethod
    def of(cls, course: Course, parts: tuple[Cluster, ...]) -> CourseCluster:
        """The links of a course whose legs have these."""
        own = _own(parts[0], Cluster) | {"activation_limit_bytes": float("inf")}
        return cls(**own, course=course, parts=parts)

    def transfers(self, program: Program, kernels: Kernels = NUMPY) -> Floats:
        """Seconds each row's message occupies its link, shape (rows,)."""
        return self._of_legs(program, [part.transfers(program, kernels) for part in self.parts])

    def latencies(self, program: Program, kernels: Kernels = NUMPY) -> Floats:
        """Seconds from when each row's message has let go of its link to its arrival, (rows,)."""
        found = [part.latencies(program, kernels) for part in self.parts]
        if not any(map(len, found)):
            return np.zeros(0)
        return self._of_legs(program, [each if len(each) else np.zeros(len(program))
                                       for each in found])

    def exchange_s(self, program: Program) -> Floats:
        """Seconds before each row in which layers move, shape (rows,)."""
        return quantize(self.course.exchange_s(program))

    def _of_legs(self, program: Program, columns: list[Floats]) -> Floats:
        leg, seconds = self.course.leg_of(program), np.zeros(len(program))
        for number, column in enumerate(columns):
            mine = leg == number
            seconds[mine] = column[mine]
        return seconds


def _own(whole: Any, kind: Any) -> dict[str, Any]:
    """The fields of a dataclass by name, as they are."""
    return {each.name: getattr(whole, each.name) for each in fields(kind)}
