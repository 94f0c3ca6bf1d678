"""Start times of a fixed order as a (max,+) recurrence in plain Python, no events.

    start(x) = max(end of the instruction before x in its stream, arrivals of what x needs)
    leaving  = max(end of the sender, leaving of the message before on that link) + transfer
    arrival  = leaving + latency
"""

from __future__ import annotations

from collections.abc import Callable, Mapping

from sim.order.instruction import Instruction
from sim.order.program import Program
from tests.oracles.readiness import done_by, needs

Seconds = Mapping[Instruction, float]


def start_times(program: Program, seconds: Seconds,
                transfer: Callable[[Instruction], float], latency: float = 0.0
                ) -> dict[Instruction, float]:
    """Start of every instruction; the order must be executable."""
    table, last = done_by(program), program.shape.stages - 1
    home = {each.stage: d for d in range(program.devices) for each in program.stream(d)}
    streams = [list(program.stream(d)) for d in range(program.devices)]
    receivers: dict[Instruction, set[int]] = {}
    for stream in streams:
        for each in stream:
            for source in needs(table, each, last):
                if home[source.stage] != home[each.stage]:
                    receivers.setdefault(source, set()).add(home[each.stage])
    start: dict[Instruction, float] = {}
    end: dict[Instruction, float] = {}
    here: dict[tuple[Instruction, int], float] = {}
    free: dict[tuple[int, int], float] = {}
    clock, position = [0.0] * len(streams), [0] * len(streams)
    while any(position[d] < len(stream) for d, stream in enumerate(streams)):
        before = sum(position)
        for d, stream in enumerate(streams):
            while position[d] < len(stream):
                each = stream[position[d]]
                wanted = needs(table, each, last)
                if any(source not in end for source in wanted):
                    break
                start[each] = max([clock[d], *(here.get((s, d), end[s]) for s in wanted)])
                clock[d] = end[each] = start[each] + seconds[each]
                for other in receivers.get(each, ()):
                    sent = max(end[each], free.get((d, other), 0.0))
                    free[d, other] = sent + transfer(each)
                    here[each, other] = free[d, other] + latency
                position[d] += 1
        assert sum(position) > before, "the order cannot be executed"
    return start
