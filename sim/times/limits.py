"""How long anything may take: what whole ticks count exactly, and no longer.

Times are multiples of 2⁻³⁰ s, and sums of them are exact in float64 up to 2²³ s, 97 days.  Beyond,
engines would no longer agree and a period would not be recognised, so longer times are refused
here, for runs, replicas and steady states alike.
"""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from sim.arrays import Floats
from sim.errors import ConfigurationError
from sim.op import Op
from sim.order.program import Program
from sim.times.cluster import Cluster
from sim.times.costs import TICK, CostModel

LONGEST_S = 2.0**53 * TICK  # what a float64 counts exactly in ticks


def refuse_uncountable(program: Program, costs: CostModel, cluster: Cluster) -> None:
    """Refuse instructions, messages and exchanges that alone take longer than ticks count.

    Jitter and slow windows are not looked at: see `refuse_long`.  Raises ConfigurationError with
    the longest of each kind.
    """
    problems = [f"{key}: {row} takes {seconds:g} s; {_COUNTED}"
                for key, row, seconds in _longest(program, costs, cluster) if beyond(seconds)]
    if problems:
        raise ConfigurationError(problems)


def refuse_long(seconds: float, what: str = "the run") -> None:
    """Refuse a makespan or period of so many seconds that ticks do not count exactly.

    `what` takes that long, in words.  Raises ConfigurationError.
    """
    if beyond(seconds):
        raise ConfigurationError([f"costs: {what} takes {seconds:g} s; {_COUNTED}"])


def beyond(seconds: float) -> bool:
    """Whether so many seconds are more than ticks count exactly, or no number."""
    return not seconds < LONGEST_S


_COUNTED = (f"times are counted exactly, in ticks of 2⁻³⁰ s, below {LONGEST_S:.0f} s "
            f"({LONGEST_S / 86400:.0f} days)")


def _longest(program: Program, costs: CostModel, cluster: Cluster
             ) -> Iterator[tuple[str, str, float]]:
    """The configuration's table, what it is, and seconds of what may take too long: the longest
    instruction, message and exchange.

    Rows are looked at one by one only where the widest that there could be would be too long.
    """
    columns = program.rows.op, program.rows.stage, program.rows.count
    stages = program.shape.stages
    op, stage = np.divmod(np.arange(len(Op) * stages), stages)
    count = np.full(len(op), int(program.rows.count.max(initial=1)))
    slowest = np.prod([1.0 if factor is None else factor.max()
                       for factor in (costs.slowdown, costs.microbatch_scale)])
    if beyond(float(costs.nominal(op, stage, count).max() * slowest)):
        yield "costs", *_of_longest(program, costs.alone(program))
    if beyond(float(cluster.arrivals_of(op, stage, count).max())):
        seconds = np.where(program.sends, cluster.arrivals_of(*columns), 0.0)
        yield "cluster", *_of_longest(program, seconds, "the message of ")
    if cluster.sync_s is not None:
        slow = int(np.argmax(cluster.sync_s))
        yield "workers", f"the exchange of stage {slow}", float(cluster.sync_s[slow])


def _of_longest(program: Program, seconds: Floats, what: str = "") -> tuple[str, float]:
    row = int(np.argmax(seconds))
    return f"{what}{program.instruction(row)}", float(seconds[row])
