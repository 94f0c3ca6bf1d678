"""PGF: a document's own fonts, letters that any TeX sets, the origin in a comment."""

import shutil
import subprocess
from pathlib import Path

import matplotlib as mpl
import pytest
from matplotlib.figure import Figure

from figures.drawing import pgf
from figures.drawing.look import Look
from figures.origin import read_origin, save
from sim.errors import ConfigurationError

LATEX = pytest.mark.skipif(pgf.system() is None, reason="no TeX is installed")
DOCUMENT = r"""\documentclass{article}
\usepackage{pgf}
\begin{document}
\input{probe.pgf}
\end{document}
"""
NAMES = ("a_b & c#", "50 % of η", "σ – 3×10²", "{x} ~ ^ \\", "λ = ∞, ≤ 2 µs", "$W_{t+s}$, $η$")


@pytest.mark.parametrize(("text", "tex"), [
    ("a_b & c#", r"a\_b \& c\#"), ("50 %", r"50 \%"), ("η = 2", r"\ensuremath{\eta} = 2"),
    ("F4 – F7", "F4 -- F7"), ("costs $5", r"costs \$5"), ("$W_4$ & 3", r"$W_4$ \& 3"),
    ("$\\mathdefault{10^{-3}}$", "${10^{-3}}$"), ("$λ_1$", r"$\lambda _1$"),
    (r"\$x\$ of $y$", r"\$x\$ of $y$"), ("a\\b", r"a\textbackslash{}b")])
def test_a_text_as_tex_sets_it(text, tex) -> None:
    assert pgf.for_tex(text) == tex


def probe() -> Figure:
    figure = Look(width_in=3.33).figure(2.5)
    axis = figure.subplots()
    for number, name in enumerate(NAMES):
        axis.plot([0, 1], [number, 1], label=name)
    axis.set_yscale("symlog")
    axis.legend(fontsize=8)
    return figure


@LATEX
@pytest.mark.filterwarnings("error")
def test_a_document_needs_nothing_but_pgf(tmp_path: Path) -> None:
    with Look(width_in=3.33).worn():
        written = save(probe(), [{"a": 1}], tmp_path, "probe", "the command", {"η": 1}, ["pgf"])
    assert [path.name for path in written] == ["probe.pgf", "probe.csv"]
    assert read_origin(str(written[0])).command == "the command"
    text = written[0].read_text(encoding="utf-8")
    assert "DejaVu" not in text
    assert "setmainfont" not in text
    assert text.isascii()
    latex = shutil.which("pdflatex")
    if latex is None:
        pytest.skip("no pdflatex is installed")
    (tmp_path / "document.tex").write_text(DOCUMENT)
    done = subprocess.run([latex, "-interaction=nonstopmode", "-halt-on-error", "document.tex"],
                          cwd=tmp_path, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stdout[-2000:]


@LATEX
def test_an_image_lies_beside(tmp_path: Path) -> None:
    figure = Figure(figsize=(2, 2))
    figure.subplots().imshow([[1, 2], [3, 4]])
    written = save(figure, [{"a": 1}], tmp_path, "map", "c", None, ["pgf"])
    assert [path.name for path in written] == ["map.pgf", "map.csv", "map-img0.png"]
    assert "map-img0.png" in written[0].read_text()


def test_without_a_tex_it_is_told_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(pgf, "system", lambda: None)
    before = dict(mpl.rcParams)
    with pytest.raises(ConfigurationError, match="install pdflatex, lualatex or xelatex"):
        pgf.check()
    assert dict(mpl.rcParams) == before


@LATEX
def test_a_text_that_tex_refuses_is_a_mistake_of_a_line() -> None:
    figure = Figure(figsize=(1, 1))
    figure.text(0.5, 0.5, r"$\nosuchword$", parse_math=True)
    with pytest.raises(ConfigurationError, match="refuses a text of the picture") as told:
        pgf.written(figure, "probe")
    assert "\n" not in str(told.value)
