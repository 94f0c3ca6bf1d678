"""Where the boxes of a timeline lie: a lane per device, a heading over each run's lanes."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from matplotlib.axes import Axes
from matplotlib.backend_bases import RendererBase
from matplotlib.text import Text
from matplotlib.transforms import blended_transform_factory

from figures.traces.passes.window import numbers
from sim.arrays import Floats
from sim.rows import Row

HEADING, BETWEEN = 0.8, 0.25  # lanes that a heading takes, and that lie between groups
# of a lane: half a box's height, and how far below the lane's middle its box is where a version
# stands above it
HALF, HALF_LABELLED, LOWER = 0.36, 0.27, 0.16
LINE = 1.25  # of a text's size, from one lane's name to the next at least


@dataclass
class Lanes:
    """Places on the axis of devices, downwards, where lanes are 1 apart.

    `middle` has the middle of each lane by run, worker (None: the only one) and device, `headings`
    the place and the text of each heading; `labelled` says whether versions stand above boxes,
    `paired` whether boxes are of two passes that run as one.
    """

    labelled: bool
    paired: bool = False
    middle: dict[tuple[str, int | None, int], float] = field(default_factory=dict)
    headings: list[tuple[float, str]] = field(default_factory=list)
    bottom: float = -0.5

    @property
    def half(self) -> float:
        """Half the height of a box."""
        return HALF_LABELLED if self.labelled else HALF

    def of(self, row: Row) -> float:
        """The middle of a row's box."""
        lane = self.middle[row["run"], row["worker"], row["device"]]
        return lane + (LOWER if self.labelled else 0.0)


def lanes(rows: Sequence[Row], labelled: bool) -> Lanes:
    """The lanes of some rows: run by run, of each its workers one after the other."""
    found = Lanes(labelled, bool(as_one(rows)))
    runs = {row["run"]: row["devices"] for row in rows}
    for run, devices in runs.items():
        shown = numbers(devices)
        workers = _workers(rows, run, shown)
        for worker, of_worker in workers.items():
            said = [*([run] if len(runs) > 1 else []),
                    *([f"worker {worker}"] if worker is not None else [])]
            if said:
                found.bottom += BETWEEN if found.middle else 0.0
                found.headings.append((found.bottom + HEADING / 2, ", ".join(said)))
                found.bottom += HEADING
            for device in of_worker:
                found.middle[run, worker, device] = found.bottom + 0.5
                found.bottom += 1.0
    return found


def _workers(rows: Sequence[Row], run: str, devices: Sequence[int]) -> dict[int | None, list[int]]:
    """The devices of each worker of a run, those that are idle as well."""
    known = {row["device"]: row["worker"] for row in rows if row["run"] == run}
    found: dict[int | None, list[int]] = {}
    last = min((worker for worker in known.values() if worker is not None), default=None)
    for device in devices:
        last = known.get(device, last)
        found.setdefault(last, []).append(device)
    return found


def frame(axis: Axes, placed: Lanes, height_pt: float) -> None:
    """Name the lanes of axes that are about so many points high; every n-th where they are low."""
    axis.set_ylim(placed.bottom, -0.5)
    size = _points(axis)
    every = max(1, int(np.ceil(LINE * size * (placed.bottom + 0.5) / height_pt)))
    lines = [(middle, device) for (_, _, device), middle in placed.middle.items()][::every]
    axis.set_yticks([middle + (LOWER if placed.labelled else 0) for middle, _ in lines],
                    [f"device {device}" for _, device in lines])
    axis.tick_params(axis="y", length=0)
    for side in ("left", "top", "right"):
        axis.spines[side].set_visible(False)
    for middle, text in placed.headings:
        axis.add_artist(Heading(axis, middle, text))


def _points(axis: Axes) -> float:
    labels = axis.get_yticklabels()
    return float(labels[0].get_fontsize()) if labels else 8.0


class Heading(Text):
    """A line of text at the left end of some axes, or of their figure where it may be as wide, cut
    in its middle where it is longer than that."""

    def __init__(self, axis: Axes, y: float, text: str, wide: bool = False) -> None:
        figure = axis.get_figure(root=True)
        assert figure is not None
        left = blended_transform_factory(figure.transFigure if wide else axis.transAxes,
                                         axis.transData)
        super().__init__(0.01 if wide else 0, y, text, transform=left, va="center",
                         fontweight="bold", parse_math=False, clip_on=not wide)
        self.whole, self.inside = text.replace(r"\$", "$"), figure if wide else axis
        self.set_in_layout(False)

    def draw(self, renderer: RendererBase) -> None:
        """Draw as much of the text as there is room for."""
        room = self.inside.get_window_extent(renderer).width
        for kept in range(len(self.whole), 1, -1):
            cut = len(self.whole) - kept
            text = self.whole if not cut else (
                f"{self.whole[:kept // 2]}…{self.whole[len(self.whole) - (kept - kept // 2):]}")
            self.set_text(text)
            if self.get_window_extent(renderer).width <= room:
                break
        super().draw(renderer)


def spans(rows: Sequence[Row], placed: Lanes, scale: float) -> tuple[Floats, Floats]:
    """Start and end of each row on the axis of time, times `scale`, and the top and bottom of its
    box: two of shape (rows, 2).

    Of a pair that runs as one the first has the upper half of the box, the second the lower.
    """
    across = np.array([(row["start_s"], row["end_s"]) for row in rows]).reshape(-1, 2) * scale
    middle = np.array([placed.of(row) for row in rows])
    upright = np.column_stack((middle - placed.half, middle + placed.half))
    for first, second in as_one(rows):
        upright[first, 1] = upright[second, 0] = middle[first]
    return across, upright


def as_one(rows: Sequence[Row]) -> list[tuple[int, int]]:
    """Which of some rows are pairs that run as one: numbers of the first and of the second.

    They are a forward and a backward of a device that start and end together, which nothing else
    on a device does.
    """
    found, at = [], dict[tuple[object, ...], int]()
    for number, row in enumerate(rows):
        if row["op"] in ("F", "B", "I") and row["end_s"] > row["start_s"]:
            key = row["run"], row["device"], row["start_s"], row["end_s"]
            other = at.setdefault(key, number)
            if other != number and (rows[other]["op"] == "F") != (row["op"] == "F"):
                found.append((other, number))
    return found
