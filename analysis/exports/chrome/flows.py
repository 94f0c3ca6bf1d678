"""Arrows of a Chrome trace: activations forwards, gradients backwards, from pass to pass."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from analysis.exports.chrome.slices import END, START, Event, Key, Slices
from sim.arrays import Ints
from sim.order.needs import ACTIVATION, GRADIENT, passes_of


def flows(drawn: Slices) -> Iterator[tuple[Key, Event]]:
    """Events of the arrows: a start inside the slice that sends, an end in the one that receives.

    Both lie strictly inside their slices where those last, so that the arrow binds to them and not
    to a neighbour that begins at that moment.
    """
    program = drawn.program
    number = 0
    for name, need in (("activation", ACTIVATION), ("gradient", GRADIENT)):
        for sender, receiver in _pairs(*passes_of(program.tables, need)):
            number += 1
            came = min(int(drawn.start[receiver]) + 1, _last(drawn, receiver))
            left = max(int(drawn.start[sender]), min(_last(drawn, sender), came))
            what = {"name": name, "cat": "message", "id": number}
            yield ((left, int(drawn.place[sender]), START),
                   drawn.event(sender, "s", left) | what)
            yield ((came, int(drawn.place[receiver]), END),
                   drawn.event(receiver, "f", came) | what | {"bp": "e"})


def _pairs(senders: Ints, receivers: Ints) -> list[tuple[int, int]]:
    """Row pairs, once each where a pass covers several micro-batches."""
    both = np.stack([senders.ravel(), receivers.ravel()], axis=1)
    return [(sender, receiver) for sender, receiver in np.unique(both, axis=0).tolist()]


def _last(drawn: Slices, row: int) -> int:
    """The last nanosecond a row's slice still has."""
    return max(int(drawn.start[row]), int(drawn.end[row]) - 1)
