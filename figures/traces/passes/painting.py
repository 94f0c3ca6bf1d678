"""Boxes put onto axes: filled, edged, named, with ticks for updates and thin ones for messages."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.collections import LineCollection, PolyCollection
from matplotlib.colors import to_rgb

from figures.drawing.colours import PASSES
from figures.traces.passes.colouring import MESSAGES, Colouring, accent, pale
from figures.traces.passes.lanes import Lanes, spans
from figures.traces.passes.names import Names
from sim.arrays import Floats
from sim.rows import Row

THIN = 0.3  # of a box's height: that of a message
TICK = 0.12  # of a lane: how far an update's tick stands out below
CROWDED = 150  # usual passes beside each other; of more the edges would be all one sees


def paint(axis: Axes, rows: Sequence[Row], placed: Lanes, colours: Colouring, scale: float,
          accented: bool = True) -> None:
    """Draw the boxes of some rows with their names; `scale` is units of the axis a second.

    Where `accented`, the boxes of marked mini-batches stand out by their edges and names too, and
    every name tells micro-batches apart; else it may be the mini-batch's number alone.
    """
    across, upright = spans(rows, placed, scale)
    ops = np.array([row["op"] for row in rows])
    message, update = np.isin(ops, MESSAGES), ops == "U"
    middle = upright.mean(axis=1, keepdims=True)
    upright[message] = (middle + THIN * (upright - middle))[message]
    passes = ~message & ~update
    edges, widths = _edges(rows, across, scale, accented)
    for which in (message, passes):
        _boxes(axis, across[which], upright[which],
               ([colours.faces[n] for n in np.flatnonzero(which).tolist()],
                [edges[n] for n in np.flatnonzero(which).tolist()], widths[which]))
    _updates(axis, [rows[n] for n in np.flatnonzero(update).tolist()], across[update],
             upright[update])
    named = np.flatnonzero(passes).tolist()
    Names(axis, across[named], upright[named],
          [[form(rows[n]) for n in named] for form in (long_name, short_name, *(
              () if accented else (lambda row: str(row["minibatch"]),)))],
          [colours.inks[n] for n in named], [accented and rows[n]["marked"] for n in named])


def long_name(row: Row) -> str:
    """What the papers write into a box: `F4`, of a micro-batch `F4.2`."""
    return f"{row['op']}{short_name(row)}"


def short_name(row: Row) -> str:
    """A box's name without its letter, which the colour tells too: `4`, `4.2`."""
    micro = "" if row["microbatch"] is None else f".{row['microbatch']}"
    return f"{row['minibatch']}{micro}"


def _edges(rows: Sequence[Row], across: Floats, scale: float, accented: bool
           ) -> tuple[list[str], Floats]:
    """Colour and width (points) of each box's edge: strong around marked ones, none in a crowd."""
    marked = sorted({row["minibatch"] for row in rows if row["marked"]})
    usual = min((float(row["usual_s"]) for row in rows), default=1.0) * scale
    crowded = bool(len(across)) and float(np.ptp(across)) > CROWDED * usual
    colours, widths = [], []
    for row in rows:
        its = accented and row["marked"]
        colours.append(accent(row["minibatch"], marked)[0] if its and len(marked) > 1
                       else "black" if row["marked"] or not marked else "#8C8C8C")
        widths.append((1.3 if len(marked) > 1 else 0.9) if its else 0.0 if crowded else 0.5)
    return colours, np.array(widths)


def _boxes(axis: Axes, across: Floats, upright: Floats,
           look: tuple[Sequence[object], Sequence[str], Floats]) -> None:
    """Rectangles in the order of time; marked ones, whose edges are stronger, come last."""
    faces, edges, widths = look
    corners = np.stack([np.stack((across[:, a], upright[:, b]), axis=1)
                        for a, b in ((0, 0), (1, 0), (1, 1), (0, 1))], axis=1)
    order = np.argsort(widths, kind="stable")
    axis.add_collection(PolyCollection(
        list(corners[order]), facecolors=[faces[n] for n in order],
        edgecolors=[edges[n] for n in order], linewidths=widths[order]), autolim=False)


def _updates(axis: Axes, rows: Sequence[Row], across: Floats, upright: Floats) -> None:
    """A box for as long as an update takes, and a tick at its end that stands out below."""
    some = any(row["marked"] for row in rows)
    own = to_rgb(PASSES["U"])
    faces = [pale(own) if some and not row["marked"] else own for row in rows]
    last = across[:, 1] > across[:, 0]
    shown = np.flatnonzero(last).tolist()
    _boxes(axis, across[last], upright[last],
           ([faces[n] for n in shown], ["none"] * len(shown), np.zeros(len(shown))))
    ticks = [((end, low), (end, low + TICK)) for (_, end), (_, low) in
             zip(across, upright, strict=True)]
    axis.add_collection(LineCollection(ticks, colors=faces, linewidths=1.6, zorder=3),
                        autolim=False)

