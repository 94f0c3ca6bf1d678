"""The steady period of a system with constant costs: recognised once, the rest is arithmetic.

Within a zone (`sim.times.exact.zone`) the recurrence is run round by round.  What the next round
depends on is a state: the clocks, the links' ends and the messages on their way.  Where a state is
an earlier one with every time later by the same `shift`, all rounds between repeat for as long as
the zone lasts, `shift` later each time.  States are compared value by value, and sums are exact.
Source: Baccelli, Cohen, Olsder and Quadrat 1992, theorem 3.109 (cyclicity); Brent 1980 (reference
states at powers of two).
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence

import numpy as np

from sim.arrays import Floats, Ints
from sim.times.exact.equations import MaxPlusSystem
from sim.times.exact.state import State
from sim.times.exact.zone import Zone, find_zone

FEWEST_ROUNDS = 16  # below, a zone is not looked into
MOST_IN_VAIN = 1 / 4  # of a program's rows, executed without a period: give up


def extrapolated(system: MaxPlusSystem) -> State | None:
    """A system executed to its end, most of it by repeating its period.

    None where no period was found, or not every row can run.
    """
    _ = system.source  # found before the times take their room: the run's peak is lower
    state, program = State(system, memoryview), system.program
    ends, patience = list(program.offsets[1:]), MOST_IN_VAIN * len(program)
    ahead = [-(-2 * (end - first) * program.shape.stages // program.shape.total)
             for first, end in itertools.pairwise(program.offsets)]
    filled, before = 0, [-1]
    while (now := state.heads) not in (before, ends):
        before = now
        patience -= sum(ahead)
        if patience < 0:
            break
        state.step([min(row + rows, end) for row, rows, end in zip(now, ahead, ends, strict=True)])
        now = state.heads
        zone = find_zone(system, now, FEWEST_ROUNDS) if now != ends else None
        filled += _through(state, zone) if zone else 0
        patience -= 0 if zone else sum(state.heads) - sum(now)
    return state if filled and state.finish() else None


def _through(state: State, zone: Zone) -> int:
    """Execute a zone up to where it ends for one device; how many rows were filled in."""
    reference: tuple[float, ...] | None = None
    flying: list[tuple[int, int]] = []
    age, power, moment = 0, 1, 0.0
    links = _links(state.system, zone, state.heads)
    for _ in range(zone.rounds(state.heads)):
        before = state.heads
        state.step(zone.after_round(before))
        now = state.heads
        if any(b - a != step for a, b, step in zip(before, now, zone.stride, strict=True)):
            if now == before:
                break
            reference = None  # some device still catches up: no round like the next
            continue
        if reference is None:
            flying, age, power = _on_their_way(state.system, zone, now), 0, 1
            reference, moment = _situation(state, zone, links, flying), _moment(state, zone)
            continue
        age += 1
        found = _situation(state, zone, links, flying)
        if found == reference:
            return _fill(state, zone, links, age, _moment(state, zone) - moment)
        if age == power:
            reference, moment, age, power = found, _moment(state, zone), 0, 2 * power
    return 0


def _moment(state: State, zone: Zone) -> float:
    return float(state.position.clock[zone.active[0]])


def _situation(state: State, zone: Zone, links: Sequence[int],
               flying: Sequence[tuple[int, int]]) -> tuple[float, ...]:
    """Everything the coming rounds depend on, as seconds after the first clock.

    When messages were sent is only reported, but has to repeat as well.
    """
    moment, (_, _, sent, arrived) = _moment(state, zone), state.times
    waits = [state.system.target[state.position.head[d] - back] for d, back in flying]
    return (*(state.position.clock[d] - moment for d in zone.active),
            *(state.position.free[link] - moment for link in links),
            *(sent[row] - moment for row in waits), *(arrived[row] - moment for row in waits))


def _links(system: MaxPlusSystem, zone: Zone, head: Sequence[int]) -> list[int]:
    """Links that carry messages of the zone."""
    used = [system.link[head[d] : head[d] + zone.stride[d]] for d in zone.active]
    return [link for link in np.unique(np.concatenate(used)).tolist() if link >= 0]


def _on_their_way(system: MaxPlusSystem, zone: Zone, head: Sequence[int]) -> list[tuple[int, int]]:
    """Messages sent and not yet used: the sending device, and how many rows before its head."""
    first, device = np.array(head), system.program.device
    flying = []
    for d in zone.active:
        source = system.source[head[d] : zone.stop[d]]
        source = source[source >= 0]
        sender = device[source]
        back = first[sender] - source
        sent = back > 0
        flying += list(zip(sender[sent].tolist(), back[sent].tolist(), strict=True))
    return flying


def _fill(state: State, zone: Zone, links: Sequence[int], rounds: int, shift: float) -> int:
    """Repeat the last `rounds` rounds to the zone's end; how many rows that were."""
    times = zone.rounds(state.heads) // rounds
    before, length = np.array(state.heads), rounds * np.array(zone.stride)
    for d in zone.active:
        for column in state.found:
            _repeat(column, int(before[d]), int(length[d]), times, shift)
        state.position.head[d] = int(before[d] + times * length[d])
        state.position.clock[d] += times * shift
    for link in links:
        state.position.free[link] += times * shift
    _deliver(state, before, length, shift)
    return int(times * length.sum())


def _deliver(state: State, before: Ints, length: Ints, shift: float) -> None:
    """Give the rows beyond the new heads the messages that rows filled in have sent them.

    Such a row need be like none before it, but its message is its sender's, and that one is.
    """
    system, device = state.system, state.system.program.device
    _, _, sent, arrived = state.found
    for head, end in zip(state.heads, system.program.offsets[1:], strict=True):
        waits = head + np.flatnonzero(system.source[head:end] >= 0)
        source = system.source[waits]
        within = source - before[device[source]]
        filled = (within >= 0) & (source < np.array(state.heads)[device[source]])
        waits, source, within = waits[filled], source[filled], within[filled]
        period = length[device[source]]
        like = system.target[source - (within // period + 1) * period]
        for column in (sent, arrived):
            column[waits] = column[like] + (within // period + 1) * shift


def _repeat(column: Floats, head: int, length: int, times: int, shift: float) -> None:
    """Continue the `length` values before `head` `times` over, `shift` more each time."""
    first, have, stop = head - length, length, head + times * length
    while first + have < stop:
        take = min(have, stop - first - have)
        column[first + have : first + have + take] = (column[first : first + take]
                                                      + shift * (have // length))
        have += take
