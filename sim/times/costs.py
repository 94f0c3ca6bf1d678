"""Seconds per instruction: constant, per stage, from a profile, jittered, slowed in windows."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np

from sim.arrays import Floats, Ints
from sim.kernels.pairs import NUMPY, Kernels
from sim.op import Op, among
from sim.order.program import Program
from sim.times.places import COMPUTE, Places

TICK = 2.0**-30  # seconds; sums of multiples are exact in float64 up to 97 days


def quantize(seconds: Floats | np.float64) -> Floats:
    """Seconds, of any shape or a scalar, rounded to whole ticks so that sums of them are exact."""
    return np.round(np.asarray(seconds, dtype=np.float64) / TICK) * TICK


@dataclass(frozen=True)
class Straggler:
    """A window of time in which a stage is slow.

    Its instructions that start from `from_s` on and before `to_s`, in seconds, take `factor` times
    as long.
    """

    stage: int
    from_s: float
    to_s: float
    factor: float


Stretch = Callable[[float, float], float]


@dataclass(frozen=True)
class CostModel:
    """What instructions cost: seconds of each kind by stage (each array of shape (stages,)).

    `backward_s` is one backward instruction, whatever it covers, unless `per_micro_batch`, when
    a backward of several micro-batches takes that many times as long.  `recompute_s` is added to
    a backward for every micro-batch it runs again (0 under `graph`).  The input and weight halves
    of a backward take `input_backward_s` and `weight_backward_s`, half of it each where None.
    A forward and a backward issued as one take `overlapped_s` by the forward's stage (None: their
    sum): see `sim.times.expanded`.
    Jitter is lognormal with mean 1 and the given sigma.  `slowdown` multiplies the seconds of each
    worker (shape (workers,)).
    """

    forward_s: Floats
    backward_s: Floats
    update_s: Floats
    recompute_s: Floats
    per_micro_batch: bool = False
    jitter_sigma: float = 0.0
    stragglers: tuple[Straggler, ...] = ()
    slowdown: Floats | None = None
    input_backward_s: Floats | None = None
    weight_backward_s: Floats | None = None
    overlapped_s: Floats | None = None

    def durations(self, program: Program, rng: np.random.Generator, kernels: Kernels = NUMPY
                  ) -> Floats:
        """Seconds each row takes its device, shape (rows,), before stragglers; 0 for messages.

        Jitter is drawn from `rng`.
        """
        if self.slowdown is None:
            return self._by_row(program, rng, kernels)
        if not self.jitter_sigma:  # rounded once, with the slowdown in it
            op, stage, _, count = program.rows
            return quantize(self._exact(op, stage, count) * self.slowdown[program.worker])
        # [choice] a draw is of whole ticks whatever the worker, and rounded again where it is slow
        return quantize(self._by_row(program, rng, kernels) * self.slowdown[program.worker])

    def _by_row(self, program: Program, rng: np.random.Generator, kernels: Kernels) -> Floats:
        """Seconds of each row without workers' slowdown, shape (rows,)."""
        places, values = self.seconds(program, rng)
        return places.by_row(program, values, kernels)

    def seconds(self, program: Program, rng: np.random.Generator) -> tuple[Places, Floats]:
        """Where each row's seconds are in a table, and that table, shape (places,).

        Workers' slowdown is not in them.  A row's jitter belongs to its instruction, not to its
        place in the order.
        """
        if not self.jitter_sigma and not self._depends_on_count(program):
            return Places.of_kinds(program.shape), self._single.ravel()
        timed = self.timed(program)
        places = Places.of_instructions(program.shape, timed)
        return places, self.jitter(self.by_block(program, timed), rng, np.empty(places.size))

    @property
    def _single(self) -> Floats:
        """Seconds of an instruction on one micro-batch, shape (operations, stages)."""
        once, again = self._tables
        return quantize(once + again)

    def _depends_on_count(self, program: Program) -> bool:
        return program.wide and (self.per_micro_batch or bool(self.recompute_s.any()))

    def timed(self, program: Program) -> list[Op]:
        """Operations of a program that take any time on some stage that has them."""
        single = self._single
        return [op for op in COMPUTE if single[op][program.does(op)].any()]

    def by_block(self, program: Program, ops: Sequence[Op]) -> list[Floats]:
        """Seconds of each of `ops` without jitter, an array each, to be drawn around.

        Its shape is (stages, micro-batches), or (stages, 1) where micro-batches do not differ.
        """
        single = self._single[..., None]
        blocks: list[Floats] = [single[op] for op in ops]
        if not self._depends_on_count(program):
            return blocks
        _, stage, index, count = program.rows
        for number, op in enumerate(ops):
            rows = np.flatnonzero((program.rows.op == op) & (count > 1))
            if len(rows):
                several = np.repeat(blocks[number], program.shape.total, axis=1)
                several[stage[rows], index[rows]] = self.nominal(
                    np.full(len(rows), op), stage[rows], count[rows])
                blocks[number] = several
        return blocks

    def nominal(self, op: Ints, stage: Ints, count: Ints) -> Floats:
        """Seconds of instructions without jitter, given as columns; all have shape (rows,)."""
        return quantize(self._exact(op, stage, count))

    def _exact(self, op: Ints, stage: Ints, count: Ints) -> Floats:
        """Those seconds before they are rounded to ticks."""
        once, again = self._tables
        covered = np.where(among(op, (Op.B, Op.I, Op.W)), count, 1) if self.per_micro_batch else 1
        seconds: Floats = once[op, stage] * covered + again[op, stage] * count
        return seconds

    @cached_property
    def _tables(self) -> tuple[Floats, Floats]:
        """Seconds of an instruction, and of running a micro-batch again, (operations, stages)."""
        once, again = np.zeros((2, len(Op), len(self.forward_s)))
        once[Op.F], once[Op.B], once[Op.U] = self.forward_s, self.backward_s, self.update_s
        for op, half in ((Op.I, self.input_backward_s), (Op.W, self.weight_backward_s)):
            once[op] = self.backward_s / 2 if half is None else half
        again[Op.B] = again[Op.I] = self.recompute_s
        return once, again

    def jitter(self, blocks: Sequence[Floats], rng: np.random.Generator, out: Floats) -> Floats:
        """Fill `out`, shape (places,), with seconds drawn around nominal ones; it is the result.

        `blocks` are those of `by_block`; the last place is of what takes no time, and gets 0.
        There is a draw for each place of a block, but none where the block takes no time.
        """
        out[-1] = 0.0
        for mean, block in zip(blocks, np.split(out[:-1], len(blocks) or 1), strict=False):
            seconds = block.reshape(len(mean), -1)
            if self.jitter_sigma and mean.any():
                self._draw(mean, rng, seconds)
            else:
                seconds[:] = mean
        return out

    def _draw(self, mean: Floats, rng: np.random.Generator, seconds: Floats) -> None:
        """Fill `seconds` with draws around `mean`, in place: memory is what takes the time."""
        rng.standard_normal(out=seconds)
        seconds *= self.jitter_sigma
        seconds -= self.jitter_sigma**2 / 2
        np.exp(seconds, out=seconds)
        seconds *= mean / TICK
        np.rint(seconds, out=seconds)
        seconds *= TICK

    def slowed(self, by: Floats) -> CostModel:
        """The costs where all that a stage does takes `by` times as long, shape (stages,)."""
        first, second, pair = (None if each is None else each * by for each in (
            self.input_backward_s, self.weight_backward_s, self.overlapped_s))
        return replace(self, forward_s=self.forward_s * by, backward_s=self.backward_s * by,
                       update_s=self.update_s * by, recompute_s=self.recompute_s * by,
                       input_backward_s=first, weight_backward_s=second, overlapped_s=pair)

    def stretch(self, stage: int) -> Stretch | None:
        """How stragglers slow a stage down; None where they never do.

        The function takes when an instruction starts and how long it would take, in seconds, and
        gives how long it takes.
        """
        windows = [s for s in self.stragglers if s.stage == stage]
        if not windows:
            return None

        def stretched(start: float, seconds: float) -> float:
            for window in windows:
                if window.from_s <= start < window.to_s:
                    seconds *= window.factor
            return float(quantize(np.float64(seconds)))

        return stretched
