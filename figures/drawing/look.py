"""How a picture is to look where it will be printed: width, font, title, resolution, formats."""

from __future__ import annotations

from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Any

from matplotlib.figure import Figure

from figures.drawing.style import PAGE_IN, STYLE, styled

FORMATS = ("png", "svg", "pdf", "pgf")
WRITTEN = ("png", "svg", "pdf")  # unless others are asked for
TEXT_PT = 8.0  # of a picture made for a document, whatever its width
SIZES = ("font.size", "axes.titlesize", "axes.labelsize", "xtick.labelsize", "ytick.labelsize",
         "legend.fontsize")
# Faces that come with matplotlib, so that they are the same everywhere; a letter that one lacks is
# taken from the next.  Mathematics is set in the same face.
SERIF = ["STIXGeneral", "DejaVu Serif", "DejaVu Sans"]
PLAIN = ["DejaVu Sans"]


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
    formats: tuple[str, ...] = WRITTEN

    def worn(self) -> AbstractContextManager[None]:
        """Draw and write in this look; matplotlib's settings are as before afterwards."""
        return styled(self.settings(), self.title)

    def hung(self) -> AbstractContextManager[None]:
        """Draw and write a picture of the gallery in this look; its text keeps its sizes."""
        return styled({**fonts(self.font), "savefig.dpi": self.dpi}, self.title)

    def settings(self) -> dict[str, Any]:
        """What matplotlib is to be told while the picture is drawn and written."""
        return {**STYLE, **dict.fromkeys(SIZES, TEXT_PT), **fonts(self.font),
                "savefig.dpi": self.dpi}

    def figure(self, height_in: float) -> Figure:
        """An empty figure of the look's width, laid out so that nothing overlaps."""
        return Figure(figsize=(self.width_in, height_in), layout="constrained")

    def above(self, message: str) -> str:
        """What stands above the picture: the title asked for, else its own message."""
        return message if self.title is None else self.title


def fonts(font: str) -> dict[str, Any]:
    """Matplotlib's settings for `serif`, `sans` or a family by name, mathematics included."""
    if font == "sans":
        return {"font.family": PLAIN, "mathtext.fontset": "dejavusans"}
    if font == "serif":
        return {"font.family": SERIF, "mathtext.fontset": "stix"}
    own = {f"mathtext.{part}": f"{font}{style}"
           for part, style in (("rm", ""), ("it", ":italic"), ("bf", ":bold"))}
    return {"font.family": [font, *PLAIN], "mathtext.fontset": "custom",
            "mathtext.fallback": "stixsans", **own}
