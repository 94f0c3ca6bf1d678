"""The judge of legibility finds what it is there to find."""

from figures.drawing.style import PAGE_IN, headline, new_figure, wrapped
from tests.figures.legible import complaints


def test_a_proper_figure_passes() -> None:
    figure = new_figure(PAGE_IN, 2.5)
    headline(figure, "A message " * 25, "a note " * 40)
    axis = figure.subplots()
    axis.plot([0, 1], [0, 1])
    axis.set(xlabel="time (s)", ylabel="stage")
    assert list(complaints(figure)) == []


def test_each_fault_is_named() -> None:
    figure = new_figure(5.0, 2.5)
    axis = figure.subplots()
    axis.plot([0, 1], [0, 1])
    axis.set(xlabel="", ylabel="stage")
    figure.text(0.9, 0.5, "much too long to fit here")
    figure.text(0.3, 0.5, "one over")
    figure.text(0.32, 0.5, "another")
    figure.text(0.6, 0.9, "tiny", fontsize=5)
    said = " | ".join(complaints(figure))
    for fault in ("does not fit a page", "too small: 'tiny'", "clipped: 'much too long",
                  "overlap: 'one over' and 'another'", "no unit on an axis"):
        assert fault in said


def test_lines_are_as_long_as_fits_and_no_longer() -> None:
    short, long = (wrapped("ab cd ef gh", width, 8.0, "normal") for width in (30.0, 500.0))
    assert long == ["ab cd ef gh"]
    assert len(short) > 1
    assert " ".join(short) == "ab cd ef gh"
    assert wrapped("", 30.0, 8.0, "normal") == []


def test_no_line_ends_inside_a_quantity() -> None:
    text = "reached after 807 ± 245 s at η = 0.05 by 62 % of all 800 mini-batches"
    whole = ("807 ± 245 s", "η = 0.05", "62 %", "800 mini-batches")
    for width in range(85, 400, 7):
        lines = wrapped(text, float(width), 8.0, "normal")
        assert " ".join(lines) == text
        assert all(any(part in line for line in lines) for part in whole)
