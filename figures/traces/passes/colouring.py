"""The colours of a timeline's boxes, by pass, mini-batch or a value that was read."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import matplotlib as mpl
import numpy as np
from matplotlib.axes import Axes
from matplotlib.cm import ScalarMappable
from matplotlib.colors import BoundaryNorm, Colormap, ListedColormap, Normalize, to_rgb
from matplotlib.lines import Line2D
from matplotlib.patches import Patch

from figures.drawing.colours import COLOURS, PASS_NAMES, PASSES
from figures.traces.passes.window import ranges
from sim.errors import ConfigurationError, unknown
from sim.op import Op
from sim.rows import Row

WAYS = ("pass", "staleness", "distance", "minibatch")
CYCLE = tuple(COLOURS[name] for name in ("orange", "sky", "green", "yellow", "blue", "vermilion",
                                         "purple"))
# of the mini-batches that are marked: told apart by lightness and line as well
ACCENTS: tuple[tuple[str, Any], ...] = (
    (COLOURS["vermilion"], "-"), (COLOURS["blue"], (0, (4, 1.5))), ("#3B3B3B", (0, (1, 1))),
    (COLOURS["green"], (0, (5, 1, 1, 1))), ("#9A4C7B", (0, (2, 2))), ("#8A5A00", (0, (7, 1.5))))
PALE, DARKER = 0.78, 0.4  # share of white in other mini-batches, of light a last chunk loses
LIGHT = 0.18  # luminance above which black text reads better than white
UNKNOWN = "#F2F2F2"
FEW = 7  # whole values that get a colour each
MEASURES = {"staleness": ("staleness", 1.0, "staleness (updates behind)"),
            "distance": ("weight_distance", 100.0, "weights off by (%)")}
MESSAGES = ("SEND_F", "RECV_F", "SEND_B", "RECV_B")


class Pair(tuple[Any, ...]):
    """Handles that a legend shows beside each other, with one `label`."""

    label = ""

    def get_label(self) -> str:
        """What they stand for together."""
        return self.label


@dataclass
class Colouring:
    """Colours of rows, in their order, and what explains them.

    `faces` are red, green and blue from 0 to 1, `inks` the colours of the texts in the boxes;
    `legend` are handles with labels, `scale` the norm, the map and the label of a colour bar.
    """

    faces: list[Any]
    inks: list[str]
    legend: list[Any] = field(default_factory=list)
    scale: tuple[Normalize, Colormap, str] | None = None

    @property
    def labels(self) -> list[str]:
        """What each handle of the legend stands for."""
        return [str(handle.get_label()) for handle in self.legend]

    def colour_bar(self, axis: Axes, where: str) -> None:
        """Put the scale beside some axes, `right` or `bottom`; nothing where there is none."""
        figure = axis.get_figure()
        if self.scale is None or figure is None:
            return
        norm, colours, label = self.scale
        bar = figure.colorbar(
            ScalarMappable(norm, colours), ax=axis, location=where, label=label,
            aspect=30 if where == "bottom" else 15, fraction=0.05, pad=0.02,
            shrink=0.7 if where == "bottom" else 1.0)
        bar.outline.set_linewidth(0.5)
        if isinstance(norm, BoundaryNorm):
            edges = norm.boundaries
            bar.set_ticks((edges[:-1] + edges[1:]) / 2,
                          labels=[f"{edge + 0.5:.0f}" for edge in edges[:-1]])
            bar.ax.tick_params(length=0)


def check_way(colour: str) -> None:
    """Make sure that boxes can be coloured so.  Raises ConfigurationError where they cannot."""
    if colour not in WAYS:
        raise ConfigurationError([unknown("colour", colour, WAYS)])


def colouring(rows: Sequence[Row], colour: str) -> Colouring:
    """The colours of some rows: `pass`, `staleness`, `distance` or `minibatch`."""
    if colour in MEASURES:
        return _by_value(rows, *MEASURES[colour])
    return _by_minibatch(rows) if colour == "minibatch" else _by_pass(rows)


def accent(minibatch: int, marked: Sequence[int]) -> tuple[str, Any]:
    """The colour and line style of a mini-batch among those that are marked."""
    return ACCENTS[sorted(marked).index(minibatch) % len(ACCENTS)]


def ink(face: Any) -> str:
    """Black or white, whichever is read better on a colour."""
    red, green, blue = (each / 12.92 if each <= 0.04045 else ((each + 0.055) / 1.055) ** 2.4
                        for each in face)
    return "black" if 0.2126 * red + 0.7152 * green + 0.0722 * blue > LIGHT else "white"


def pale(face: Any) -> Any:
    """A colour with most of it left away, for what is not looked at."""
    return tuple(PALE + (1 - PALE) * each for each in face)


def shade(face: Any, chunk: int, last: int) -> Any:
    """A colour as a device's stage `chunk` of 0 … `last` has it: later ones are darker."""
    return tuple(each * (1 - DARKER * chunk / last) for each in face) if last else tuple(face)


def _by_pass(rows: Sequence[Row]) -> Colouring:
    some = any(row["marked"] for row in rows)
    last = max((row["chunk"] for row in rows), default=0)
    found = Colouring([], [])
    for row in rows:
        face = shade(to_rgb(PASSES[row["op"]]), row["chunk"], last)
        aside = some and not row["marked"]
        found.faces.append(pale(face) if aside else face)
        found.inks.append("#5A5A5A" if aside else ink(face))
    found.legend = [*_passes(rows), *_chunks(rows, last)]
    return found


def _by_minibatch(rows: Sequence[Row]) -> Colouring:
    some = any(row["marked"] for row in rows)
    found = Colouring([], [])
    for row in rows:
        own = CYCLE[(row["minibatch"] - 1) % len(CYCLE)]
        face = to_rgb(own if row["op"] not in MESSAGES and row["op"] != "U" else PASSES[row["op"]])
        aside = some and not row["marked"]
        found.faces.append(pale(face) if aside else face)
        found.inks.append("#5A5A5A" if aside else ink(face))
    seen = sorted({row["minibatch"] for row in rows if row["marked"] or not some})
    found.legend = [*_turns(seen), *_passes(row for row in rows if row["op"] == "U"
                                            or row["op"] in MESSAGES)]
    return found


def _turns(minibatches: Sequence[int]) -> list[Any]:
    """What each colour of the cycle stands for."""
    turns: dict[int, list[int]] = {}
    for each in minibatches:
        turns.setdefault((each - 1) % len(CYCLE), []).append(each)
    return [Patch(facecolor=CYCLE[turn], edgecolor="black", linewidth=0.5,
                  label=f"mini-batch {which[0]}" + (
                      f", {which[1]}" if len(which) == 2 else f", {which[1]}, …" if which[2:]
                      else "")) for turn, which in turns.items()]


def _by_value(rows: Sequence[Row], name: str, times: float, label: str) -> Colouring:
    values = [None if row[name] is None else times * row[name] for row in rows]
    known = np.array([value for value in values if value is not None])
    top = float(known.max(initial=0.0))
    tones = mpl.colormaps["viridis_r"](np.linspace(0.06, 1, 256))
    colours: Colormap = ListedColormap(tones)
    whole = name == "staleness" and bool((known == np.round(known)).all()) and top < FEW
    norm: Normalize = Normalize(0, top or 1.0)
    if whole:
        colours = ListedColormap(tones[np.linspace(0, 255, int(top) + 1 or 1).astype(int)])
        norm = BoundaryNorm(np.arange(-0.5, top + 1), int(top) + 1)
    found = Colouring([], [], scale=(norm, colours, label))
    for row, value in zip(rows, values, strict=True):
        other = to_rgb(PASSES[row["op"]] if row["op"] in ("U", *MESSAGES) else UNKNOWN)
        face = other if value is None else tuple(colours(norm(value)))[:3]
        found.faces.append(face)
        found.inks.append(ink(face))
    found.legend = _passes(row for row in rows if row["op"] in ("U", *MESSAGES))
    if any(value is None and row["op"] in "FBIW" for row, value in zip(rows, values, strict=True)):
        found.legend.append(Patch(facecolor=UNKNOWN, edgecolor="grey", linewidth=0.5,
                                  label="not known"))
    return found


def _passes(rows: Any) -> list[Any]:
    """A handle for each operation there is: a tick for an update, one for all messages."""
    ops = {row["op"] for row in rows}
    handles: list[Any] = []
    for op in (op.name for op in Op if op.name in ops):
        if op == "U":
            handles.append(Line2D([], [], color=PASSES[op], linewidth=2, marker="|",
                                  markersize=7, markeredgewidth=2, linestyle="",
                                  label=PASS_NAMES[op]))
        elif op not in MESSAGES:
            handles.append(Patch(facecolor=PASSES[op], edgecolor="black", linewidth=0.5,
                                 label=PASS_NAMES[op]))
    if ops & set(MESSAGES):
        handles.append(Line2D([], [], color=PASSES["SEND_F"], linewidth=3, label="message"))
    return handles


def _chunks(rows: Sequence[Row], last: int) -> list[Any]:
    """What lighter and darker boxes are, where devices hold several stages."""
    if not last:
        return []
    ops = [op for op in ("F", "B", "I", "W") if any(row["op"] == op for row in rows)]
    handles = []
    for chunk in range(last + 1):
        stages = ranges([row["stage"] for row in rows if row["chunk"] == chunk])
        several = Pair(Patch(facecolor=shade(to_rgb(PASSES[op]), chunk, last), edgecolor="black",
                             linewidth=0.5) for op in ops)
        several.label = f"stages {stages.replace('-', '–')}"
        handles.append(several)
    return handles
