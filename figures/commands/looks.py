"""Options that say how a picture is to look, and the look they give."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import click

from figures.commands.refusals import refuse

if TYPE_CHECKING:
    from figures.drawing.look import Look

UNITS = {"in": 1.0, "mm": 1 / 25.4, "cm": 1 / 2.54, "pt": 1 / 72.27}  # in inches; TeX's point
NARROWEST_IN, WIDEST_IN = 2.0, 24.0
MOST_PIXELS = 16_384  # across a PNG
SUGGESTED = 8  # names of fonts that a refusal lists


class Width(click.ParamType):  # type: ignore[type-arg,unused-ignore]  # click 8.3 has one
    """A printed width with its unit, as inches."""

    name = "width"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None
                ) -> float:
        """The inches that a text stands for."""
        if isinstance(value, float):
            return value
        found = re.fullmatch(r"\s*(\d+\.?\d*|\.\d+)\s*(in|mm|cm|pt)\s*", value)
        if found is None:
            refuse(param, f"a number with its unit (in, mm, cm or pt), e.g. 3.33in, got {value!r}")
        inches = float(found[1]) * UNITS[found[2]]
        if not NARROWEST_IN <= inches <= WIDEST_IN:
            low, high = (f"{each / UNITS[found[2]]:.4g}" for each in (NARROWEST_IN, WIDEST_IN))
            refuse(param, f"{low} to {high} {found[2]}, got {value}")
        return inches


class Formats(click.ParamType):  # type: ignore[type-arg,unused-ignore]
    """Formats by comma, each once."""

    name = "formats"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None
                ) -> tuple[str, ...]:
        """The formats that a text names."""
        from figures.drawing.look import FORMATS
        from sim.errors import unknown

        if isinstance(value, tuple):
            return value
        names = list(dict.fromkeys(part.strip().lower() for part in value.split(",")))
        wrong = [unknown("format", name, FORMATS) for name in names if name not in FORMATS]
        if wrong:
            refuse(param, "; ".join(wrong))
        return tuple(names)


class Font(click.ParamType):  # type: ignore[type-arg,unused-ignore]
    """`serif`, `sans`, or a family that is installed."""

    name = "font"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> str:
        """The name, as the font itself writes it."""
        if value in ("serif", "sans"):
            return str(value)
        from difflib import get_close_matches

        from matplotlib.font_manager import get_font_names

        installed = {name.lower(): name for name in get_font_names()}
        if value.lower() in installed:
            return installed[value.lower()]
        near = [installed[name] for name in
                get_close_matches(value.lower(), [*installed, "serif", "sans"], SUGGESTED)
                if name in installed]
        hint = f" (did you mean {near[0]}?)" if near else ""
        shown = near or sorted(installed.values())[:SUGGESTED]
        refuse(param, f"no font {value!r} is installed{hint}; choose from serif, sans, "
                      f"{', '.join(shown)}, … ({len(installed)} installed)")


class Title(click.ParamType):  # type: ignore[type-arg,unused-ignore]
    """A title; `none` for no title."""

    name = "title"

    def convert(self, value: Any, param: click.Parameter | None, ctx: click.Context | None) -> str:
        """The title; empty for none.  Mathematics that matplotlib cannot set is a mistake."""
        if value.strip().lower() in ("none", ""):
            return ""
        from matplotlib.mathtext import MathTextParser

        if value.count("$") - value.count(r"\$") > 1:
            try:
                MathTextParser("path").parse(value)
            except ValueError:
                refuse(param, f"mathematics that cannot be set, got {value!r}")
        return str(value)


OPTIONS = (
    click.option("--title", type=Title(), metavar="TEXT|none",
                 help="Stands above the picture in place of its own sentence."),
    click.option("--width", "width_in", type=Width(), metavar="3.33in|85mm",
                 help="Width on paper (in, mm, cm, pt); text is 8 points there.  [default: 7.2in]"),
    click.option("--font", type=Font(), metavar="serif|sans|NAME", default="sans",
                 show_default=True, help="Face of all text, mathematics included; PGF leaves it "
                                         "to the document."),
    click.option("--format", "formats", type=Formats(), metavar="png,svg,pdf,pgf",
                 default="png,svg,pdf", show_default=True, help="Files to write, by comma."),
    click.option("--dpi", type=click.IntRange(30, 1200), default=160, show_default=True,
                 help="Pixels an inch of the PNG."),
)
# the parameters that they give, in the order in which `look_of` takes them
LOOKS = {"--title": "title", "--width": "width_in", "--font": "font", "--format": "formats",
         "--dpi": "dpi"}


def look_options(command: Callable[..., Any]) -> Callable[..., Any]:
    """Decorate a command to take the options of a look."""
    for option in reversed(OPTIONS):
        command = option(command)
    return command


def look_of(title: str | None, width_in: float | None, font: str, formats: tuple[str, ...],
            dpi: int) -> Look:
    """The look that these options ask for, looked at before anything is run.

    Raises ConfigurationError for a PNG that is too large, or PGF where no TeX measures its text.
    """
    from figures.drawing import pgf
    from figures.drawing.look import Look
    from figures.drawing.style import PAGE_IN
    from sim.errors import ConfigurationError

    width = PAGE_IN if width_in is None else width_in
    if width * dpi > MOST_PIXELS:
        raise ConfigurationError([f"--dpi: at most {int(MOST_PIXELS / width)} at this width "
                                  f"({MOST_PIXELS:,} pixels across), got {dpi}"])
    if "pgf" in formats:
        pgf.check()
    return Look(width, font, title, dpi, formats)
