"""Seconds per instruction: constant, per stage, from a profile, jittered, slowed in windows."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from sim.instruction import Ints, Op
from sim.program import Program

Floats = NDArray[np.float64]
TICK = 2.0**-30  # seconds; sums of multiples are exact in float64 up to 97 days


def quantize(seconds: Floats | np.float64) -> Floats:
    """Seconds rounded to whole ticks, so that every sum of them is exact."""
    return np.round(np.asarray(seconds, dtype=np.float64) / TICK) * TICK


@dataclass(frozen=True)
class Straggler:
    """Instructions of `stage` that start in [from_s, to_s) take `factor` times as long."""

    stage: int
    from_s: float
    to_s: float
    factor: float


Stretch = Callable[[float, float], float]


@dataclass(frozen=True)
class CostModel:
    """Seconds of one instruction, by stage (each array of shape (stages,)).

    `backward_s` is one backward instruction, whatever it covers, unless `per_micro_batch`, when
    a backward of several micro-batches takes that many times as long.  `recompute_s` is added to
    a backward for every micro-batch it runs again (0 under `graph`).  An input or weight half of
    a backward takes half of it.  Jitter is lognormal with mean 1 and the given sigma.
    """

    forward_s: Floats
    backward_s: Floats
    update_s: Floats
    recompute_s: Floats
    per_micro_batch: bool = False
    jitter_sigma: float = 0.0
    stragglers: tuple[Straggler, ...] = ()

    def durations(self, program: Program, rng: np.random.Generator) -> Floats:
        """Seconds of each row, before stragglers; messages take none of a device's time.

        A row's jitter belongs to its instruction, not to its place in the order.
        """
        op, stage, _, count = program.rows
        ops, stages = len(Op), program.shape.stages
        each_op, each_stage = np.divmod(np.arange(ops * stages), stages)
        single = quantize(self._nominal(each_op, each_stage, np.ones_like(each_op)))
        seconds: Floats = single[op * stages + stage]
        wide = np.flatnonzero(count > 1)
        if len(wide):
            seconds[wide] = quantize(self._nominal(op[wide], stage[wide], count[wide]))
        if self.jitter_sigma:
            seconds = quantize(seconds * self._noise(program, seconds, rng))
        return seconds

    def _nominal(self, op: Ints, stage: Ints, count: Ints) -> Floats:
        covered = count if self.per_micro_batch else np.ones_like(count)
        backward = self.backward_s[stage] * covered
        again = self.recompute_s[stage] * count
        return np.select(
            [op == Op.F, op == Op.B, op == Op.I, op == Op.W, op == Op.U],
            [self.forward_s[stage], backward + again, backward / 2 + again, backward / 2,
             self.update_s[stage]], 0.0)

    def _noise(self, program: Program, seconds: Floats, rng: np.random.Generator) -> Floats:
        """A factor per row: one draw per (operation, stage, micro-batch), for what takes time."""
        shape, (op, stage, index, _) = program.shape, program.rows
        factor = np.ones(len(program))
        for each in (Op.F, Op.B, Op.I, Op.W, Op.U):
            rows = np.flatnonzero(op == each)
            if seconds[rows].any():
                drawn = rng.standard_normal(shape.stages * shape.total)
                noise = drawn[stage[rows] * shape.total + index[rows]]
                factor[rows] = np.exp(self.jitter_sigma * noise - self.jitter_sigma**2 / 2)
        return factor

    def stretch(self, stage: int) -> Stretch | None:
        """Seconds of an instruction by its start and nominal seconds; None if never slowed."""
        windows = [s for s in self.stragglers if s.stage == stage]
        if not windows:
            return None

        def stretched(start: float, seconds: float) -> float:
            for window in windows:
                if window.from_s <= start < window.to_s:
                    seconds *= window.factor
            return float(quantize(np.float64(seconds)))

        return stretched
