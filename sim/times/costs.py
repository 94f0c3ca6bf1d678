"""Seconds per instruction: constant, per stage, from a profile, jittered, scaled or slowed, and
drifting with time."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np

from sim.arrays import Floats, Ints
from sim.kernels.pairs import NUMPY, Kernels
from sim.op import Op, among
from sim.order.program import Program
from sim.times.load import loads
from sim.times.places import COMPUTE, Places

TICK = 2.0**-30  # seconds; sums of multiples are exact in float64 up to 97 days
ALL = slice(None)  # rows of a program


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


@dataclass(frozen=True)
class Trend:
    """A stage that changes its pace for good, as a device does that grows hot or is shared.

    An instruction that starts at `from_s` takes as long as ever, one from `to_s` on `factor` times
    as long, and between them, in seconds, the factor moves in a straight line.  Where both are one
    moment it jumps there.
    """

    stage: int
    from_s: float
    to_s: float
    factor: float

    def at(self, start: float) -> float:
        """How many times as long something takes that starts at `start`, in seconds."""
        if start < self.from_s:
            return 1.0
        if start >= self.to_s:
            return self.factor
        return 1.0 + (self.factor - 1.0) * ((start - self.from_s) / (self.to_s - self.from_s))


Stretch = Callable[[float, float], float]


@dataclass(frozen=True)
class CostModel:
    """What instructions cost: seconds of each kind by stage (each array of shape (stages,)).

    `backward_s` is one backward instruction, whatever it covers, unless `per_micro_batch`, when
    a backward of several micro-batches takes that many times as long.  `recompute_s` is added to
    a backward for every micro-batch it runs again (0 under `graph`).  The input and weight halves
    of a backward take `input_backward_s` and `weight_backward_s`, half of it each where None.
    A forward and a backward that are issued as one pair take `overlapped_s` together, by the stage
    of the forward: their sum where None.

    `microbatch_scale` multiplies the passes of each micro-batch of a mini-batch, (factors,); it
    begins again with every mini-batch, and within one where that has more micro-batches.  A pass of
    several takes them in the mean, or in sum where it takes that many times as long.  `slowdown`
    multiplies all that a device does, by the devices of all workers, (devices,).  Jitter is
    lognormal with mean 1 and the given sigma.
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
    microbatch_scale: Floats | None = None
    trends: tuple[Trend, ...] = ()

    @property
    def drifts(self) -> bool:
        """Whether what an instruction takes depends on when it starts."""
        return bool(self.stragglers or self.trends)

    def durations(self, program: Program, rng: np.random.Generator, kernels: Kernels = NUMPY
                  ) -> Floats:
        """Seconds each row takes its device, shape (rows,), before any drift; 0 for messages.

        Jitter is drawn from `rng`.
        """
        if self.slowdown is None:
            return self._by_row(program, rng, kernels)
        if not self.jitter_sigma:
            return self.alone(program)
        # [choice] a draw is of whole ticks whatever the device, and rounded again where it is slow
        return quantize(self._by_row(program, rng, kernels) * self.slowdown[program.device])

    def alone(self, program: Program, rows: Ints | slice = ALL) -> Floats:
        """Seconds that some rows of a program take without jitter and windows, (rows asked for,).

        They are rounded once, with scale and slowdown in them.
        """
        seconds = self._scaled(program, rows)
        if self.slowdown is not None:
            seconds = seconds * self.slowdown[program.device[rows]]
        return quantize(seconds)

    def _by_row(self, program: Program, rng: np.random.Generator, kernels: Kernels) -> Floats:
        """Seconds of each row without slowdown of devices, shape (rows,)."""
        places, values = self.seconds(program, rng)
        return places.by_row(program, values, kernels)

    def seconds(self, program: Program, rng: np.random.Generator) -> tuple[Places, Floats]:
        """Where each row's seconds are in a table, and that table, shape (places,).

        Slowdown of devices is not in them.  A row's jitter belongs to its instruction, not to its
        place in the order.
        """
        if not self.jitter_sigma and not self._differ(program):
            return Places.of_kinds(program.shape), self._single.ravel()
        timed = self.timed(program)
        places = Places.of_instructions(program.shape, timed)
        return places, self.jitter(self.by_block(program, timed), rng, np.empty(places.size))

    @property
    def _single(self) -> Floats:
        """Seconds of an instruction on one micro-batch, shape (operations, stages)."""
        once, again = self._tables
        return quantize(once + again)

    def _differ(self, program: Program) -> bool:
        """Whether an operation of a stage may take longer of some micro-batches than of others."""
        return self.microbatch_scale is not None or (
            program.wide and (self.per_micro_batch or bool(self.recompute_s.any())))

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
        if not self._differ(program):
            return blocks
        _, stage, index, count = program.rows
        for number, op in enumerate(ops):
            rows = np.flatnonzero((program.rows.op == op)
                                  & ((count > 1) | (self.microbatch_scale is not None)))
            if len(rows):
                several = np.repeat(blocks[number], program.shape.total, axis=1)
                several[stage[rows], index[rows]] = quantize(self._scaled(program, rows))
                blocks[number] = several
        return blocks

    def nominal(self, op: Ints, stage: Ints, count: Ints) -> Floats:
        """Seconds of instructions without jitter, scale and slowdown, given as columns; all have
        shape (rows,)."""
        return quantize(self._exact(op, stage, count, count))

    def _scaled(self, program: Program, rows: Ints | slice) -> Floats:
        """Seconds of some rows of a program before slowdown and rounding, (rows asked for,)."""
        op, stage, index, count = (column[rows] for column in program.rows)
        load: Floats | Ints = count
        if self.microbatch_scale is not None:
            load = loads(self.microbatch_scale, program.shape.microbatches, op, index, count)
        return self._exact(op, stage, count, load)

    def _exact(self, op: Ints, stage: Ints, count: Ints, load: Floats | Ints) -> Floats:
        """Seconds of instructions before they are rounded to ticks; all have shape (rows,).

        `load` is what the micro-batches of each come to, their number where all are alike.
        """
        once, again = self._tables
        covered = load / count
        if self.per_micro_batch:
            covered = np.where(among(op, (Op.B, Op.I, Op.W)), load, covered)
        seconds: Floats = once[op, stage] * covered + again[op, stage] * load
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
        some = (self.input_backward_s, self.weight_backward_s, self.overlapped_s)
        first, second, both = (None if each is None else each * by for each in some)
        return replace(self, forward_s=self.forward_s * by, backward_s=self.backward_s * by,
                       update_s=self.update_s * by, recompute_s=self.recompute_s * by,
                       input_backward_s=first, weight_backward_s=second, overlapped_s=both)

    def stretch(self, stage: int) -> Stretch | None:
        """How stragglers and trends slow a stage down; None where they never do.

        The function takes when an instruction starts and how long it would take, in seconds, and
        gives how long it takes.
        """
        windows = [s for s in self.stragglers if s.stage == stage]
        trends = [t for t in self.trends if t.stage == stage]
        if not windows and not trends:
            return None

        def stretched(start: float, seconds: float) -> float:
            for window in windows:
                if window.from_s <= start < window.to_s:
                    seconds *= window.factor
            for trend in trends:
                seconds *= trend.at(start)
            return float(quantize(np.float64(seconds)))

        return stretched
