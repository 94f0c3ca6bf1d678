"""Pairs that are issued as one, and what such a pair takes.

A pair starts once both messages are there, and ends, and sends, both at once.  One that takes as
long as its two passes one after the other is not run so: it is those.  [choice] Nothing is gained
by waiting for both then, and the first may send while the second still runs.
"""

from __future__ import annotations

import numpy as np

from sim.arrays import Floats, Ints
from sim.op import Op
from sim.order.program import Program
from sim.order.streams import NO_PAIRS
from sim.order.together import rows_of_pairs
from sim.times.costs import CostModel, quantize


def overlapping(program: Program, costs: CostModel) -> Ints:
    """The pairs of a program that take other than the sum of their two passes, (pairs, 2, 3)."""
    if costs.overlapped_s is None or not len(program.pairs):
        return NO_PAIRS
    forward, backward = forward_first(program, *rows_of_pairs(program.tables, program.pairs))
    pair = quantize(costs.overlapped_s[program.rows.stage[forward]])
    some: Ints = program.pairs[pair != _apart_s(program, costs, forward, backward)]
    return some


def forward_first(program: Program, first: Ints, second: Ints) -> tuple[Ints, Ints]:
    """Rows of pairs, (pairs,) each, as those of forwards and those of backwards."""
    onward = program.rows.op[first] == Op.F
    return np.where(onward, first, second), np.where(onward, second, first)


def _apart_s(program: Program, costs: CostModel, forward: Ints, backward: Ints) -> Floats:
    """Seconds of a forward and of a whole backward one after the other, (pairs,), by the table."""
    _, stage, _, count = program.rows
    one, other = stage[forward], stage[backward]
    return (costs.nominal(np.full_like(one, Op.F), one, np.ones_like(one))
            + costs.nominal(np.full_like(other, Op.B), other, count[backward]))


def pair_seconds(program: Program, costs: CostModel, own_s: Floats, forward: Ints, backward: Ints
                 ) -> Floats:
    """Seconds of pairs of rows, (pairs,), from those each row takes by itself, (rows,).

    They are `overlapped_s`, as many times as the two take now what they take by the table.
    [choice] So jitter, scales of micro-batches and slow workers stretch a pair as its parts, and a
    pair with an input half gains as much as one with a whole backward.
    """
    if costs.overlapped_s is None:
        return own_s[forward] + own_s[backward]
    apart = _apart_s(program, costs, forward, backward)
    part = np.divide(own_s[forward] + own_s[backward], apart, out=np.ones(len(apart)),
                     where=apart > 0)
    return quantize(costs.overlapped_s[program.rows.stage[forward]] * part)
