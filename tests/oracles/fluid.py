"""Hosts and shared hardware as a fluid: go from one change to the next, everything at its rate.

Nothing of the simulator's times is used, and no time is rounded: a device has a host that asks and
a stream that works, both at rates that follow from what else is under way.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

from sim.op import Op
from sim.order.instruction import Instruction
from sim.order.program import Program
from tests.oracles.readiness import covered

Seconds = Callable[[Instruction], float]


@dataclass
class Machine:
    """What instructions and their messages take alone, and how they slow each other.

    A message holds its way for `message` seconds and arrives `latency` seconds later.  `issue` is
    None without hosts; `asks` names the interpreter of a stage, `runs_on` its hardware.
    """

    alone: Seconds
    message: Seconds
    factor: Callable[[Instruction, Instruction], float]
    runs_on: Callable[[int], str]
    latency: float = 0.0
    issue: Seconds | None = None
    asks: Callable[[int], str] = str
    lock_share: float = 1.0


@dataclass
class Line:
    """A device, with how far its host and its stream are; `left` is None between instructions."""

    stream: Sequence[Instruction]
    asking: int = 0
    working: int = 0
    asking_left: float | None = None
    working_left: float | None = None


@dataclass
class Times:
    start: dict[Instruction, float] = field(default_factory=dict)
    end: dict[Instruction, float] = field(default_factory=dict)
    asked: dict[Instruction, float] = field(default_factory=dict)
    issued: dict[Instruction, float] = field(default_factory=dict)
    arrived: dict[Instruction, float] = field(default_factory=dict)  # by sender


def senders(program: Program) -> dict[Instruction, Instruction]:
    """Who sends what each instruction waits for from another device."""
    home = {each.stage: d for d in range(program.devices) for each in program.stream(d)}
    does = {(each.op, each.stage, m): each for d in range(program.devices)
            for each in program.stream(d) for m in covered(each)}
    found = {}
    for each in does.values():
        step = {Op.F: -1, Op.RECV_F: -1, Op.B: 1, Op.I: 1, Op.RECV_B: 1}.get(each.op)
        if step is None or home.get(each.stage + step, home[each.stage]) == home[each.stage]:
            continue
        if program.lowered:
            ends = {Op.RECV_F: [Op.SEND_F], Op.RECV_B: [Op.SEND_B]}.get(each.op, [])
        else:
            ends = [Op.F] if each.op is Op.F else [Op.B, Op.I]
        for op in ends:
            last = does.get((op, each.stage + step, each.index + each.count - 1))
            if last is not None:
                found[each] = last
    return found


def flow(program: Program, machine: Machine) -> Times:
    """Every instruction's times; an AssertionError where some can never run."""
    lines = [Line(list(program.stream(d))) for d in range(program.devices)]
    home = {each.stage: d for d, line in enumerate(lines) for each in line.stream}
    source, times, now = senders(program), Times(), 0.0
    receiver = {sender: each for each, sender in source.items()}
    busy_until: dict[tuple[int, int], float] = {}
    while any(line.working < len(line.stream) for line in lines):
        while any(_at_once(line, now, times, source, machine) for line in lines):
            pass
        for each in [r for r in times.end if r in receiver and r not in times.arrived]:
            way = home[each.stage], home[receiver[each].stage]
            busy_until[way] = max(busy_until.get(way, 0.0), times.end[each])
            busy_until[way] += machine.message(each)
            times.arrived[each] = busy_until[way] + machine.latency
        if any(_at_once(line, now, times, source, machine) for line in lines):
            continue
        if any(line.working < len(line.stream) for line in lines):
            now = _on(lines, now, times, machine)
    return times


def _at_once(line: Line, now: float, times: Times, source: dict[Instruction, Instruction],
             machine: Machine) -> bool:
    """Whatever a device begins or ends now; whether there was anything."""
    changed = False
    if machine.issue is not None and line.asking < len(line.stream):
        each = line.stream[line.asking]
        if line.asking_left is None and (each not in source or source[each] in times.issued):
            times.asked[each], line.asking_left, changed = now, machine.issue(each), True
        if line.asking_left == 0.0:
            times.issued[each], line.asking_left = now, None
            line.asking, changed = line.asking + 1, True
    if line.working < len(line.stream):
        each = line.stream[line.working]
        here = each not in source or times.arrived.get(source[each], now + 1) <= now
        if line.working_left is None and here and (
                machine.issue is None or each in times.asked):
            times.start[each], line.working_left, changed = now, machine.alone(each), True
        if line.working_left == 0.0 and (machine.issue is None or each in times.issued):
            times.end[each], line.working_left = now, None
            line.working, changed = line.working + 1, True
    return changed


def _on(lines: list[Line], now: float, times: Times, machine: Machine) -> float:
    """Let everything flow until the next thing is over, and say when that is."""
    asking = [line for line in lines if line.asking_left]
    working = [line for line in lines if line.working_left]
    rates: list[tuple[Line, str, float]] = []
    for line in asking:
        name = machine.asks(line.stream[line.asking].stage)
        others = sum(machine.asks(o.stream[o.asking].stage) == name for o in asking) - 1
        rates.append((line, "asking_left", 1 / (1 + machine.lock_share * others)))
    for line in working:
        each, slow, least = line.stream[line.working], 1.0, []
        for other in working:
            beside = other.stream[other.working]
            if other is not line and machine.runs_on(beside.stage) == machine.runs_on(each.stage):
                least.append(machine.factor(each, beside))
                slow += least[-1] - 1
        rates.append((line, "working_left", 1 / max([slow, *([min(least)] if least else [])])))
    waits = [getattr(line, name) / rate for line, name, rate in rates]
    waits += [came - now for came in times.arrived.values() if came > now]
    assert waits, "nothing can go on"
    step = min(waits)
    for line, name, rate in rates:
        left = getattr(line, name)
        over = left / rate <= step * (1 + 1e-13)
        setattr(line, name, 0.0 if over else left - rate * step)
    return now + step
