"""How a picture is to look where it will be printed: width, font, title, resolution, formats."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Any

import matplotlib as mpl
from matplotlib.figure import Figure

from figures.drawing.style import PAGE_IN

FORMATS = ("png", "svg", "pdf", "pgf")
TEXT_PT = 8.0  # of a picture made for a document, whatever its width
FAMILIES = {"sans": "sans-serif", "serif": "serif"}


@dataclass(frozen=True)
class Look:
    """How a picture of one's own is to look, as the options of `python -m figures` say.

    `width_in` is the width in inches at which it is printed, so that text of 8 points is 8 points
    on paper; `font` is `serif`, `sans` or the name of a family; `title` stands above it (None: the
    picture's own sentence; empty: no title at all); `dpi` counts for PNG alone; `formats` are the
    files to write.
    """

    width_in: float = PAGE_IN
    font: str = "sans"
    title: str | None = None
    dpi: int = 160
    formats: tuple[str, ...] = ("png", "svg", "pdf")

    @contextmanager
    def worn(self) -> Iterator[None]:
        """Draw and write in this look; matplotlib's settings are as before afterwards."""
        with mpl.rc_context(self.settings()):
            yield

    def settings(self) -> Any:  # a dictionary; stubs name every key it may have
        """What matplotlib is to be told while the picture is drawn and written."""
        family = FAMILIES.get(self.font, self.font)
        sizes = dict.fromkeys(("font.size", "axes.titlesize", "axes.labelsize", "xtick.labelsize",
                               "ytick.labelsize", "legend.fontsize"), TEXT_PT)
        return {**sizes, "font.family": family, "savefig.dpi": self.dpi}

    def figure(self, height_in: float) -> Figure:
        """An empty figure of the look's width, laid out so that nothing overlaps."""
        return Figure(figsize=(self.width_in, height_in), layout="constrained")

    def above(self, message: str) -> str:
        """What stands above the picture: the title asked for, else its own message."""
        return message if self.title is None else self.title
