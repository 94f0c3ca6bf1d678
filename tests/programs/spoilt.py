"""Programs with a slip or two in them: a cell lost, doubled, moved, renamed or in another place."""

from __future__ import annotations

from random import Random

from tests.oracles.any_program import Cell, Row
from tests.programs.made import Made


def spoilt(rng: Random, whole: Made) -> Made:
    """The program with one to three slips; some leave it sound."""
    streams = [list(stream) for stream in whole.streams]
    for _ in range(rng.choice((1, 1, 2, 3))):
        rng.choice(SLIPS)(rng, streams)
    return Made(streams, whole.stages, whole.sizes)


def _stream(rng: Random, streams: list[list[Cell]]) -> list[Cell]:
    return rng.choice([stream for stream in streams if stream] or [[]])


def lose(rng: Random, streams: list[list[Cell]]) -> None:
    stream = _stream(rng, streams)
    if stream:
        del stream[rng.randrange(len(stream))]


def double(rng: Random, streams: list[list[Cell]]) -> None:
    stream = _stream(rng, streams)
    if stream:
        stream.insert(rng.randint(0, len(stream)), rng.choice(stream))


def swap(rng: Random, streams: list[list[Cell]]) -> None:
    stream = _stream(rng, streams)
    if len(stream) > 1:
        one, other = rng.sample(range(len(stream)), 2)
        stream[one], stream[other] = stream[other], stream[one]


def move(rng: Random, streams: list[list[Cell]]) -> None:
    """A cell to another place, of its own stream or of another."""
    stream, other = _stream(rng, streams), rng.choice(streams)
    if stream:
        cell = stream.pop(rng.randrange(len(stream)))
        other.insert(rng.randint(0, len(other)), cell)


def rename(rng: Random, streams: list[list[Cell]]) -> None:
    """Another stage, operation or micro-batch."""
    stream = _stream(rng, streams)
    if not stream:
        return
    place = rng.randrange(len(stream))
    cell = list(stream[place])
    which = rng.randrange(len(cell))
    stage, op, first, last = cell[which]
    deed = rng.randrange(3)
    if deed == 0:
        stage = max(0, stage + rng.choice((-1, 1)))
    elif deed == 1:
        op = rng.choice(("F", "B", "I", "W", "U", "SEND_F", "RECV_B"))
    else:
        first = max(0, first + rng.choice((-1, 1)))
        last = max(first, last)
    cell[which] = Row(stage, op, first, last)
    stream[place] = tuple(cell)


def part(rng: Random, streams: list[list[Cell]]) -> None:
    """Two neighbours made one, or one made two."""
    stream = _stream(rng, streams)
    if len(stream) > 1:
        place = rng.randrange(len(stream) - 1)
        both = (*stream[place], *stream[place + 1])
        if len(stream[place]) == 2:
            stream[place:place + 1] = [(row,) for row in stream[place]]
        elif len(both) == 2:
            stream[place:place + 2] = [both]


SLIPS = (lose, double, swap, swap, move, move, rename, part)
