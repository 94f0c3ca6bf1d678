"""The device × step table of an error message, with the bad cells marked."""

from __future__ import annotations

from collections.abc import Sequence
from itertools import pairwise

from sim.order.streams import Streams

SHOWN_STEPS = 4  # on either side of a marked cell


def marked_table(program: Streams, marked: dict[int, int]) -> str:
    """A program as text, a line per device, cut out around the marked cells.

    `marked` is the step that is marked on a device, in the text as `>…<`.
    """
    first, last = _shown(marked)
    streams = [range(a, b) for a, b in pairwise(program.offsets)]
    return _table([[str(program.instruction(row)) for row in rows[first:last]]
                   for rows in streams], marked, first)


def marked_cells(streams: Sequence[Sequence[str]], marked: dict[int, int]) -> str:
    """Streams of any cells as text, a line per device, cut out around the marked cells.

    `marked` is the step that is marked on a device, in the text as `>…<`.
    """
    first, last = _shown(marked)
    return _table([list(cells[first:last]) for cells in streams], marked, first)


def _shown(marked: dict[int, int]) -> tuple[int, int]:
    return (max(0, min(marked.values(), default=0) - SHOWN_STEPS),
            max(marked.values(), default=0) + SHOWN_STEPS + 1)


def _table(streams: Sequence[Sequence[str]], marked: dict[int, int], first: int) -> str:
    lines = []
    for device, texts in enumerate(streams):
        here = marked.get(device, -1) - first
        cells = [f">{c}<" if i == here else f" {c} " for i, c in enumerate(texts)]
        if here == len(cells):
            cells.append(">end<")
        lines.append([f"device {device}", f"@{first}", *cells])
    width = [max(len(line[i]) for line in lines if i < len(line))
             for i in range(max(map(len, lines), default=0))]
    return "\n".join("  ".join(c.ljust(w) for c, w in zip(line, width, strict=False)).rstrip()
                     for line in lines)
