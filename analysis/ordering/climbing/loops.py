"""Judging an order thousands of times a second, and making it better move by move.

One text, run by Python on lists and compiled by numba on arrays, with the same bits.  `judged` is
the fast twin of `analysis.ordering.judge`.  All is in one file, since compiled code is made anew
when its own file changes.
"""

from __future__ import annotations

from analysis.ordering.climbing.tables import EMPTY, I, Tables
from sim.kernels.pairs import Pair
from sim.kernels.recurrence import Column

NEVER = 1e300  # seconds after which an order ends that cannot be executed
ANY_NUMBER = 2**40  # of what there is enough of
FIRST_32_BITS = 0xFFFFFFFF


def judged(tables: Tables, order: Column[int]) -> float:
    """Seconds at which the last device is done with an order (`NEVER`: not all can be executed).

    `order` holds codes, (rows,).  The tables' paper then says what each row waited for.
    """
    counter, second, behind, inside, comes, goes, receiver, link = tables[0][:8]
    seconds, occupied, latency = tables[0][9:12]
    head, clock, waiting, stack, free, last, done, arrived, sender, cause, queued = tables[2][:11]
    offset, update = tables.places.offset, tables.places.update
    top = _begin(tables)
    while top > 0:
        top -= 1
        d = stack[top]
        row, stop, now = head[d], offset[d + 1], clock[d]
        why = row - 1 if row > offset[d] else -1
        while row < stop:
            code = order[row]
            if code >= 0:
                which, needs = done[counter[code]], comes[code]
                if which >= done[behind[code]] or which >= done[inside[code]]:
                    return NEVER
                if needs >= 0:
                    came = arrived[needs + which]
                    if came < 0.0:
                        waiting[d] = needs + which
                        break
                    if came > now:
                        now, why = came, sender[needs + which]
                cause[row] = why
                now += seconds[code]
                done[counter[code]] += 1
                done[second[code]] += 1
                way = link[code]
                if way >= 0:
                    sent, message, other = now, goes[code] + which, receiver[code]
                    queued[row] = -1
                    if free[way] > sent:
                        sent, queued[row] = free[way], last[way]
                    sent += occupied[code]
                    free[way], last[way] = sent, row
                    arrived[message], sender[message] = sent + latency[code], row
                    if waiting[other] == message:
                        waiting[other] = -1
                        stack[top] = other
                        top += 1
            else:
                cause[row] = why
            why = row
            row += 1
        head[d], clock[d] = row, now
    ends = 0.0
    for d in range(len(head)):
        if head[d] < offset[d + 1]:
            return NEVER
        ends = max(ends, clock[d] + update[d])
    return ends


def _begin(tables: Tables) -> int:
    """Every device at its first row, at 0 s, and nothing sent; how many devices can go on."""
    paper, devices = tables.paper, len(tables.paper.head)
    _count_anew(paper.done)
    for message in range(len(paper.arrived)):
        paper.arrived[message] = -1.0
    for way in range(len(paper.free)):
        paper.free[way], paper.last[way] = 0.0, -1
    for d in range(devices):
        paper.head[d], paper.clock[d], paper.waiting[d] = tables.places.offset[d], 0.0, -1
        paper.stack[d] = devices - 1 - d
    return devices


def _count_anew(done: Column[int]) -> None:
    """Nothing is done, but of the last count but one, which is of what needs nothing."""
    for place in range(len(done)):
        done[place] = 0
    done[len(done) - 2] = ANY_NUMBER


def allowed(tables: Tables, order: Column[int], d: int) -> bool:
    """Whether a device can do its part of an order: each pass after what it needs of its own
    device, and never more bytes held than there is room for."""
    counter, second, behind, inside = tables[0][:4]
    taken, given, done = tables.passes.taken, tables.passes.given, tables.paper.done
    held, room = 0.0, tables.places.room[d]
    _count_anew(done)
    for row in range(tables.places.offset[d], tables.places.offset[d + 1]):
        code = order[row]
        if code >= 0:
            which = done[counter[code]]
            if which >= done[behind[code]] or which >= done[inside[code]]:
                return False
            done[counter[code]] += 1
            done[second[code]] += 1
            held += taken[code]
            if held > room:
                return False
            held -= given[code]
    return True


def _trace(tables: Tables) -> int:
    """Find the rows on the longest path that wait for nothing but their device; how many."""
    paper, places = tables.paper, tables.places
    cause, offset, ends, row = paper.cause, places.offset, -1.0, -1
    for d in range(len(paper.clock)):
        if offset[d + 1] > offset[d] and paper.clock[d] + places.update[d] > ends:
            ends, row = paper.clock[d] + places.update[d], offset[d + 1] - 1
    found, since = 0, 0
    while row >= 0:
        before = cause[row]
        if before == row - 1 and before >= offset[places.owner[row]]:
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


def _propose(tables: Tables, order: Column[int], critical: int, luck: Column[int],
             move: Column[int]) -> None:
    """Choose a pass and its new place, two rows of one device: `move`.

    A backward that may be made two halves, or one, keeps its place instead: the second row is then
    where its weight half is, or is to be.
    """
    owner, offset, paper = tables.places.owner, tables.places.offset, tables.paper
    chance = _drawn(luck, 16)
    if critical == 0 or chance < 2:
        late = _drawn(luck, len(owner))
        d = owner[late]
        early = min(max(late - 12 + _drawn(luck, 25), offset[d]), offset[d + 1] - 1)
        chance = 2
    else:
        which = _drawn(luck, critical)
        late, early = paper.critical[which], paper.block[which]
        d = owner[late]
    if 2 < chance < 9:
        early = late - 1
    elif 8 < chance < 12 and late - early > 1:
        early += _drawn(luck, late - early)
    elif chance > 13:  # out of the way, perhaps into a gap
        late = min(late + _drawn(luck, 12), offset[d + 1] - 1)
    move[0], move[1], move[2] = late, early, 0
    if chance & 1:
        move[0], move[1] = early, late
    code = order[move[0]]
    if code >= 0 and tables.passes.other[code] >= 0 and _drawn(luck, 4) == 0:
        move[2], move[1] = 1, _half(tables, order, move[0])


def _half(tables: Tables, order: Column[int], row: int) -> int:
    """Where the weight half of a backward is that is to be one, or an empty place for it."""
    offset, code = tables.places.offset, order[row]
    d = tables.places.owner[row]
    wanted = code + 1 if code & 3 == I else EMPTY
    for place in range(row + 1, offset[d + 1]):
        if order[place] == wanted:
            return place
    for place in range(offset[d], row):
        if order[place] == wanted:
            return place
    return row


def _shift(order: Column[int], by: int, to: int) -> None:
    """Move the pass in row `by` to row `to`; those between make room."""
    code, step = order[by], 1 if to > by else -1
    row = by
    while row != to:
        order[row] = order[row + step]
        row += step
    order[to] = code


def _toggle(tables: Tables, order: Column[int], row: int, half: int) -> None:
    """Make a backward one pass that was two halves, the second in row `half`, or two of one."""
    code = order[row]
    order[half] = EMPTY if code & 3 == I else code - 1
    order[row] = tables.passes.other[code]


def climb(tables: Tables, order: Column[int], best: Column[int], luck: Column[int],
          bar: Column[float], found: Column[float], moves: int) -> None:
    """Try so many moves; `order` changes, and `best` becomes the best order that was met.

    `bar` are the seconds of orders some moves ago, one after another: an order is taken that is no
    later than it, or than the one before.  `found` are the seconds of `order` and `best`, how many
    orders were judged, and the seconds at which nothing better can be hoped for.
    Source: Burke and Bykov 2017, late acceptance hill climbing.
    """
    move = [0, 0, 0]
    now = judged(tables, order)
    critical = _trace(tables)
    for number in range(moves):
        _propose(tables, order, critical, luck, move)
        by, to, toggles = move[0], move[1], move[2]
        if by == to:
            continue
        if toggles:
            _toggle(tables, order, by, to)
        else:
            _shift(order, by, to)
        ends = NEVER
        if allowed(tables, order, tables.places.owner[by]):
            ends = judged(tables, order)
            found[2] += 1.0
        place = number % len(bar)
        if ends <= now or ends <= bar[place]:
            now = ends
            critical = _trace(tables)
            if now < found[1]:
                found[1] = now
                for row in range(len(order)):
                    best[row] = order[row]
                if now <= found[3]:
                    break
        elif toggles:
            _toggle(tables, order, by, to)
        else:
            _shift(order, to, by)
        if now < bar[place]:
            bar[place] = now
    found[0] = now


JUDGED = Pair(judged, judged)
"""`(tables, order)`: seconds until the last device is done, `NEVER` where some pass cannot
run; `paper` then says when every row started and what it waited for."""

ALLOWED = Pair(allowed, allowed)
"""`(tables, order, d)`: whether device `d` has room for its part of an order, and does halves
after what they need."""

CLIMB = Pair(climb, climb)
"""`(tables, order, best, luck, bar, found, moves)`: so many moves, as `climb` says."""
