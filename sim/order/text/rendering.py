"""A program as text: one line per device, instructions separated by commas.

The layout is that of PyTorch's pipelining schedules (a CSV row per rank), with one comment line
that holds the shape:

    # pipestale program: stages=2 minibatches=2 microbatches=1 chunks=1
    0F0,0F1,0B0,0U0,0B1,0U1
    1F0,1B0,1U0,1F1,1B1,1U1

A cell `(0F3;1B1)` is a pair, issued as one: see `sim.order.together`.
"""

from __future__ import annotations

from collections.abc import Iterator

from sim.order.streams import CompleteStreams
from sim.order.together import rows_of_pairs


def render(program: CompleteStreams) -> str:
    """A program's text: its shape and a line per device; reading it gives the program back."""
    fields = " ".join(f"{name}={_number(value)}" for name, value in program.shape.as_dict().items())
    lines = [",".join(cells(program, d)) for d in range(program.devices)]
    return "\n".join([f"# pipestale program: {fields}", *lines]) + "\n"


def _number(value: int | list[int]) -> str:
    """A number of a shape, or several, without a space between."""
    return ",".join(map(str, value)) if isinstance(value, list) else str(value)


def cells(program: CompleteStreams, device: int) -> Iterator[str]:
    """The cells of one device: its instructions, two that are a pair in one."""
    partner = dict(zip(*(rows.tolist() for rows in rows_of_pairs(program.tables, program.pairs)),
                       strict=True))
    first, stop = program.offsets[device : device + 2]
    seconds = set(partner.values())
    for row in range(first, stop):
        if row in partner and partner[row] == row + 1:
            yield f"({program.instruction(row)};{program.instruction(partner[row])})"
        elif row not in seconds or row - 1 not in partner:
            yield str(program.instruction(row))
