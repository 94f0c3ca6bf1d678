"""Seconds per instruction: constant, per stage, from a profile, jittered, slowed in windows."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from sim.instruction import Ints, Op
from sim.passes import compiled
from sim.passes.seconds import dealt, summed
from sim.places import Places
from sim.program import Program

Floats = NDArray[np.float64]
TICK = 2.0**-30  # seconds; sums of multiples are exact in float64 up to 97 days


def _dealt(program: Program, single: Floats) -> Floats:
    """What a vector by (operation, stage) says of each row."""
    op, stage, stages = program.rows.op, program.rows.stage, program.shape.stages
    column: Floats = (compiled(dealt)(op, stage, single.reshape(-1, stages))
                      if program.compiled else single[op * stages + stage])
    return column


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
    `slowdown` multiplies the seconds of each worker (shape (workers,)).
    """

    forward_s: Floats
    backward_s: Floats
    update_s: Floats
    recompute_s: Floats
    per_micro_batch: bool = False
    jitter_sigma: float = 0.0
    stragglers: tuple[Straggler, ...] = ()
    slowdown: Floats | None = None

    def durations(self, program: Program, rng: np.random.Generator) -> Floats:
        """Seconds of each row, before stragglers; messages take none of a device's time.

        A row's jitter belongs to its instruction, not to its place in the order.
        """
        op, stage, _, count = program.rows
        each_op, each_stage = np.divmod(np.arange(len(Op) * program.shape.stages),
                                        program.shape.stages)
        single = self.nominal(each_op, each_stage, np.ones_like(each_op))
        seconds = _dealt(program, single)
        if program.wide:
            wide = np.flatnonzero(count > 1)
            seconds[wide] = self.nominal(op[wide], stage[wide], count[wide])
        if self.jitter_sigma:
            timed = np.flatnonzero(compiled(summed)(op, seconds, len(Op)) if program.compiled
                                   else np.bincount(op, weights=seconds))
            places = Places.of(program, timed)
            seconds = places.of_rows(self.jitter(places, places.by_place(seconds), rng))
        if self.slowdown is None:
            return seconds
        return quantize(seconds * self.slowdown[program.worker])

    def nominal(self, op: Ints, stage: Ints, count: Ints) -> Floats:
        """Seconds of such instructions without jitter."""
        covered = count if self.per_micro_batch else np.ones_like(count)
        backward = self.backward_s[stage] * covered
        again = self.recompute_s[stage] * count
        return quantize(np.select(
            [op == Op.F, op == Op.B, op == Op.I, op == Op.W, op == Op.U],
            [self.forward_s[stage], backward + again, backward / 2 + again, backward / 2,
             self.update_s[stage]], 0.0))

    def jitter(self, places: Places, nominal: Floats, rng: np.random.Generator,
               out: Floats | None = None) -> Floats:
        """Seconds by place from nominal ones: a draw for each, but none for what takes no time."""
        seconds = np.empty_like(nominal) if out is None else out
        seconds[-1] = 0.0
        for block in places.blocks:
            mean, drawn = nominal[block], seconds[block]
            if not self.jitter_sigma or not mean.any():
                drawn[:] = mean
            else:
                rng.standard_normal(out=drawn)
                drawn *= self.jitter_sigma
                drawn -= self.jitter_sigma**2 / 2
                np.exp(drawn, out=drawn)
                drawn *= mean
                drawn /= TICK
                np.rint(drawn, out=drawn)
                drawn *= TICK
        return seconds

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
