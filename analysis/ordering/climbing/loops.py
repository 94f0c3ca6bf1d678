"""Judging an order thousands of times a second, and making it better move by move.

One text, run by Python on lists and compiled by numba on arrays, with the same bits.  `judged` is
the fast twin of `analysis.ordering.judge`.  All is in one file, since compiled code is made anew
when its own file changes.
"""

from __future__ import annotations

from analysis.ordering.climbing.tables import Paper, Tables
from sim.kernels.pairs import Pair
from sim.kernels.recurrence import Column

NEVER = 1e300  # seconds after which an order ends that cannot be executed
READY, BLOCKED = -1, -2  # a pass needs no message; it needs a pass that its device has not done
FIRST_32_BITS = 0xFFFFFFFF


def judged(tables: Tables, paper: Paper, order: Column[int]) -> float:
    """Seconds at which the last device is done with an order (`NEVER`: not all can be executed).

    `order` holds codes, (rows,).  `paper` then says when each started and what it waited for.
    """
    offset, devices = tables.offset, tables.counts[1]
    seconds, arrived, start, cause = tables.seconds, paper.arrived, paper.start, paper.cause
    head, clock, stack = paper.head, paper.clock, paper.stack
    _begin(tables, paper)
    top = devices
    while top > 0:
        top -= 1
        d = stack[top]
        row, now = head[d], clock[d]
        while row < offset[d + 1]:
            code, why = order[row], row - 1
            if row == offset[d]:
                why = -1
            if code >= 0:
                needs = _needs(tables, paper, code, d)
                if needs == BLOCKED:
                    return NEVER
                if needs >= 0:
                    came = arrived[needs]
                    if came < 0.0:
                        paper.waiting[d] = needs
                        break
                    if came > now:
                        now, why = came, paper.sender[needs]
                start[row], cause[row] = now, why
                now += seconds[code]
                other = _sent(tables, paper, code, row, now)
                paper.done[code] += 1
                if other >= 0:
                    stack[top] = other
                    top += 1
            else:
                start[row], cause[row] = now, why
            row += 1
        head[d], clock[d] = row, now
    ends = 0.0
    for d in range(devices):
        if head[d] < offset[d + 1]:
            return NEVER
        ends = max(ends, clock[d] + tables.update[d])
    return ends


def _begin(tables: Tables, paper: Paper) -> None:
    """Every device at its first row, at 0 s, and nothing sent."""
    devices = tables.counts[1]
    for code in range(len(paper.done)):
        paper.done[code] = 0
    for message in range(len(paper.arrived)):
        paper.arrived[message] = -1.0
    for way in range(len(paper.free)):
        paper.free[way], paper.last[way] = 0.0, -1
    for d in range(devices):
        paper.head[d], paper.clock[d], paper.waiting[d] = tables.offset[d], 0.0, -1
        paper.stack[d] = devices - 1 - d


def _needs(tables: Tables, paper: Paper, code: int, d: int) -> int:
    """The message that the next pass of this code needs, `READY` or `BLOCKED`."""
    done, device, micro = paper.done, tables.device, tables.counts[2]
    stage, kind = code >> 2, code & 3
    if kind == 2:
        return READY if done[code] < done[code - 1] else BLOCKED
    if kind == 0:
        if stage == 0:
            return READY
        if device[stage - 1] != d:
            return 2 * (stage - 1) * micro + done[code]
        return READY if done[code] < done[code - 4] else BLOCKED
    base = 4 * stage
    which = done[base + 1] + done[base + 3]
    if which >= done[base]:
        return BLOCKED
    if stage == tables.counts[0] - 1:
        return READY
    if device[stage + 1] != d:
        return (2 * stage + 3) * micro + which
    return READY if which < done[base + 5] + done[base + 7] else BLOCKED


def _sent(tables: Tables, paper: Paper, code: int, row: int, now: float) -> int:
    """Send the message of a pass that ends now; the device that waited for it, −1 for none."""
    stage, kind = code >> 2, code & 3
    back = 1 if kind & 1 else 0
    kept = 2 * stage + back
    way = tables.link[kept]
    if way < 0 or kind == 2:
        return -1
    which = paper.done[code]
    if back:
        which = paper.done[4 * stage + 1] + paper.done[4 * stage + 3]
    paper.queued[row] = -1
    if paper.free[way] > now:
        now, paper.queued[row] = paper.free[way], paper.last[way]
    now += tables.occupied[kept]
    paper.free[way], paper.last[way] = now, row
    message = kept * tables.counts[2] + which
    paper.arrived[message], paper.sender[message] = now + tables.latency[kept], row
    other = tables.device[stage - 1] if back else tables.device[stage + 1]
    if paper.waiting[other] != message:
        return -1
    paper.waiting[other] = -1
    return other


def allowed(tables: Tables, paper: Paper, order: Column[int], d: int) -> bool:
    """Whether a device can do its part of an order: each half after what it needs of its own
    stage, and never more bytes held than there is room for."""
    done, held, room = paper.done, 0.0, tables.room[d]
    for stage in range(tables.counts[0]):
        if tables.device[stage] == d:
            for code in range(4 * stage, 4 * stage + 4):
                done[code] = 0
    for row in range(tables.offset[d], tables.offset[d + 1]):
        code = order[row]
        if code < 0:
            continue
        kind, base = code & 3, code & ~3
        if kind == 2:
            if done[code] >= done[code - 1]:
                return False
        elif kind != 0 and done[base + 1] + done[base + 3] >= done[base]:
            return False
        done[code] += 1
        held += tables.taken[code]
        if held > room:
            return False
        held -= tables.given[code]
    return True


def _trace(tables: Tables, paper: Paper) -> int:
    """Find the rows on the longest path that wait for nothing but their device; how many."""
    cause, offset, ends, row = paper.cause, tables.offset, -1.0, -1
    for d in range(tables.counts[1]):
        if offset[d + 1] > offset[d] and paper.clock[d] + tables.update[d] > ends:
            ends, row = paper.clock[d] + tables.update[d], offset[d + 1] - 1
    found, since = 0, 0
    while row >= 0:
        before = cause[row]
        if before == row - 1 and before >= offset[tables.owner[row]]:
            paper.critical[found] = row
            found += 1
            row = before
            continue
        while since < found:
            paper.block[since] = row
            since += 1
        while before >= 0 and paper.queued[before] >= 0:
            before = paper.queued[before]
        row = before
    return found


def _drawn(luck: Column[int], below: int) -> int:
    """A whole number from 0 on and below another: xorshift, of 32 bits.

    Source: Marsaglia 2003, Xorshift RNGs.
    """
    x = luck[0]
    x ^= (x << 13) & FIRST_32_BITS
    x ^= x >> 17
    x ^= (x << 5) & FIRST_32_BITS
    luck[0] = x
    return (x >> 3) % below


def _propose(tables: Tables, paper: Paper, order: Column[int], critical: int, luck: Column[int],
             move: Column[int]) -> None:
    """Choose a pass and its new place, two rows of one device: `move`."""
    rows, chance = len(order), _drawn(luck, 16)
    if critical == 0 or chance < 2:
        move[0] = _drawn(luck, rows)
        d = tables.owner[move[0]]
        near = move[0] - 12 + _drawn(luck, 25)
        move[1] = min(max(near, tables.offset[d]), tables.offset[d + 1] - 1)
        return
    which = _drawn(luck, critical)
    late, early = paper.critical[which], paper.block[which]
    if chance < 9:
        early = late - 1
    elif chance < 12 and late - early > 1:
        early += _drawn(luck, late - early)
    move[0], move[1] = late, early
    if chance & 1:
        move[0], move[1] = early, late
    if chance >= 14:  # out of the way, perhaps into a gap
        d = tables.owner[early]
        move[0], move[1] = early, min(late + _drawn(luck, 12), tables.offset[d + 1] - 1)


def _shift(order: Column[int], by: int, to: int) -> None:
    """Move the pass in row `by` to row `to`; those between make room."""
    code, step = order[by], 1 if to > by else -1
    row = by
    while row != to:
        order[row] = order[row + step]
        row += step
    order[to] = code


def climb(tables: Tables, paper: Paper, order: Column[int], best: Column[int],
          luck: Column[int], bar: Column[float], found: Column[float], moves: int) -> None:
    """Try so many moves; `order` changes, and `best` becomes the best order that was met.

    `bar` are the seconds of orders some moves ago, one after another: an order is taken that is no
    later than it, or than the one before.  `found` are the seconds of `order` and `best`, how many
    orders were judged, and the seconds at which nothing better can be hoped for.
    Source: Burke and Bykov 2017, late acceptance hill climbing.
    """
    move = [0, 0]
    now = judged(tables, paper, order)
    critical = _trace(tables, paper)
    for number in range(moves):
        _propose(tables, paper, order, critical, luck, move)
        by, to = move[0], move[1]
        if by == to:
            continue
        _shift(order, by, to)
        ends = NEVER
        if allowed(tables, paper, order, tables.owner[by]):
            ends = judged(tables, paper, order)
            found[2] += 1.0
        place = number % len(bar)
        if ends <= now or ends <= bar[place]:
            now = ends
            critical = _trace(tables, paper)
            if now < found[1]:
                found[1] = now
                for row in range(len(order)):
                    best[row] = order[row]
                if now <= found[3]:
                    break
        else:
            _shift(order, to, by)
        if now < bar[place]:
            bar[place] = now
    found[0] = now


JUDGED = Pair(judged, judged)
"""`(tables, paper, order)`: seconds until the last device is done, `NEVER` where some pass cannot
run; `paper` then says when every row started and what it waited for."""

ALLOWED = Pair(allowed, allowed)
"""`(tables, paper, order, d)`: whether device `d` has room for its part of an order, and does halves
after what they need."""

CLIMB = Pair(climb, climb)
"""`(tables, paper, order, best, luck, bar, found, moves)`: so many moves, as `climb` says."""
