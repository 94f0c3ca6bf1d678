"""Pictures as PGF, for documents that set the text themselves, in their own fonts and letters.

Matplotlib asks a TeX how large each text is, so one has to be there.  What is written needs nothing
of the document but the package `pgf`.
"""

from __future__ import annotations

import re
import shutil
import tempfile
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import matplotlib as mpl
from matplotlib.figure import Figure

from sim.errors import ConfigurationError

SYSTEMS = ("pdflatex", "lualatex", "xelatex")  # the first that is there is asked
LACKS = ("--format pgf: matplotlib asks a TeX for the size of each text, and there is none; "
         "install pdflatex, lualatex or xelatex with the package pgf (Debian: apt-get install "
         "texlive-latex-extra lmodern)")
SYMBOLS = {
    "×": r"\times", "·": r"\cdot", "±": r"\pm", "−": "-", "∞": r"\infty", "≤": r"\leq",
    "≥": r"\geq", "≈": r"\approx", "→": r"\to", "α": r"\alpha", "β": r"\beta", "γ": r"\gamma",
    "η": r"\eta", "λ": r"\lambda", "μ": r"\mu", "µ": r"\mu", "σ": r"\sigma", "τ": r"\tau",
    "Δ": r"\Delta", "²": "^2", "³": "^3", "°": r"^\circ", "●": r"\bullet", "✕": r"\times"}
# how a letter is written in any document: those that mean something to TeX, and those that not
# every font has
LETTERS = {"\\": r"\textbackslash{}", "~": r"\textasciitilde{}", "^": r"\textasciicircum{}",
           **{each: f"\\{each}" for each in "&#{}_%$"}, "–": "--", "—": "---", "…": r"\ldots{}",
           **{letter: rf"\ensuremath{{{text}}}" for letter, text in SYMBOLS.items()}}
MATHEMATICS = re.compile(r"((?<!\\)\$.*?(?<!\\)\$)")
WORDS = {r"\mathdefault": "", r"\mathregular": r"\mathrm"}  # of matplotlib alone


def system() -> str | None:
    """The TeX that is asked, by the name of its command; None where there is none."""
    return next((each for each in SYSTEMS if shutil.which(each)), None)


def check() -> None:
    """Make sure that PGF can be written, by a picture of a letter.

    Raises ConfigurationError with what to install.
    """
    probe = Figure(figsize=(1, 1))
    probe.text(0.5, 0.5, "a")
    written(probe, "probe")


def written(figure: Figure, name: str) -> dict[str, bytes]:
    """The PGF of a picture and the images it includes, by file name; its own comes first.

    Raises ConfigurationError where there is no TeX, or where it cannot set a text.
    """
    found = system()
    if found is None:
        raise ConfigurationError([LACKS])
    settings: Any = {"pgf.texsystem": found, "pgf.rcfonts": False}
    with mpl.rc_context(settings), _texts_for_tex(), tempfile.TemporaryDirectory() as folder:
        path = Path(folder, f"{name}.pgf")
        try:
            figure.savefig(path, format="pgf")
        except (RuntimeError, ValueError) as error:
            said = " ".join(str(error).split())
            raise ConfigurationError([f"--format pgf: {found} refuses a text of the picture: "
                                      f"{said[-300:]}"]) from None
        images = {each.name: each.read_bytes() for each in sorted(Path(folder).glob("*.png"))}
        return {path.name: path.read_bytes(), **images}


@contextmanager
def _texts_for_tex() -> Iterator[None]:
    """Every text of a picture is told to TeX as `for_tex` has it, while PGF is written.

    Matplotlib leaves letters that mean something to TeX as they are, and has no setting for it.
    """
    from matplotlib.backends.backend_pgf import RendererPgf

    drawn: Any = RendererPgf.draw_text
    measured: Any = RendererPgf.get_text_width_height_descent

    def draw_text(self: Any, gc: Any, x: Any, y: Any, s: str, *more: Any, **named: Any) -> Any:
        return drawn(self, gc, x, y, for_tex(s), *more, **named)

    def measure(self: Any, s: str, *more: Any, **named: Any) -> Any:
        return measured(self, for_tex(s), *more, **named)

    changed: Any = RendererPgf
    changed.draw_text, changed.get_text_width_height_descent = draw_text, measure
    try:
        yield
    finally:
        changed.draw_text, changed.get_text_width_height_descent = drawn, measured


def for_tex(text: str) -> str:
    """A text of a picture as TeX sets it: letters escaped, mathematics (`$…$`) left to it."""
    if len(re.findall(r"(?<!\\)\$", text)) % 2:  # no mathematics to matplotlib either
        return _each(text, LETTERS.get)
    return "".join(_mathematics(part) if MATHEMATICS.fullmatch(part)
                   else _each(part.replace(r"\$", "$"), LETTERS.get)
                   for part in MATHEMATICS.split(text))


def _each(text: str, other: Callable[[str, str], str]) -> str:
    return "".join(other(letter, letter) for letter in text)


def _mathematics(text: str) -> str:
    for word, other in WORDS.items():
        text = text.replace(word, other)
    return _each(text, lambda letter, same: f"{SYMBOLS[letter]} " if letter in SYMBOLS else same)
