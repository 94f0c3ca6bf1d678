"""The look asked for: fonts and mathematics together, titles, narrow figures; no setting stays."""

import matplotlib as mpl
import pytest

from figures.drawing.look import Look, fonts
from figures.drawing.style import PAGE_IN, STYLE, fitting_columns, headline, points, styled

MESSAGE, NOTE = "A message that is as long as one line of a page has room for, or so", "a note"


def test_settings_are_as_before_whatever_happens() -> None:
    before = dict(mpl.rcParams)
    with pytest.raises(ZeroDivisionError):
        _fail_inside(Look(font="serif", dpi=300))
    assert dict(mpl.rcParams) == before


def _fail_inside(look: Look) -> None:
    with look.worn():
        assert mpl.rcParams["font.size"] == 8
        assert mpl.rcParams["savefig.dpi"] == 300
        raise ZeroDivisionError


def test_a_style_inside_a_look_leaves_the_look() -> None:
    with Look(font="serif", title="Mine").worn():
        with styled():
            assert mpl.rcParams["font.size"] == 8
            figure = Look().figure(2)
            headline(figure, MESSAGE)
        assert [text.get_text() for text in figure.texts] == ["Mine"]


def test_a_picture_of_the_gallery_keeps_its_sizes() -> None:
    with Look(font="serif", dpi=99).hung():
        assert points("font.size") == STYLE["font.size"]
        assert mpl.rcParams["savefig.dpi"] == 99
        assert mpl.rcParams["mathtext.fontset"] == "stix"


@pytest.mark.parametrize(("font", "family", "mathematics"), [
    ("sans", "DejaVu Sans", "dejavusans"), ("serif", "STIXGeneral", "stix"),
    ("DejaVu Serif", "DejaVu Serif", "custom")])
def test_mathematics_is_in_the_texts_face(font, family, mathematics) -> None:
    found = fonts(font)
    assert (found["font.family"][0], found["mathtext.fontset"]) == (family, mathematics)
    if mathematics == "custom":
        assert found["mathtext.it"] == f"{family}:italic"


@pytest.mark.parametrize(("title", "texts"), [
    (None, [MESSAGE, NOTE]), ("Mine", ["Mine", NOTE]), ("", [])])
def test_a_title_stands_in_the_messages_place_and_none_leaves_nothing(title, texts) -> None:
    look = Look(title=title)
    with look.worn():
        figure = look.figure(2)
        headline(figure, look.above(MESSAGE), NOTE)
    assert [text.get_text() for text in figure.texts] == texts


def test_a_narrow_figure_grows_by_the_lines_that_a_page_does_not_need() -> None:
    heights = []
    for width in (PAGE_IN, 3.33):
        with Look(width_in=width).worn():
            figure = Look(width_in=width).figure(2)
            headline(figure, MESSAGE, NOTE)
            heights.append((figure.get_figheight(), len(figure.texts)))
    (page, few), (narrow, many) = heights
    assert page == 2
    assert narrow == pytest.approx(2 + (many - few) * 1.32 * 9 / 72)


def test_a_legend_has_as_many_columns_as_the_width_takes() -> None:
    with Look().worn():
        assert fitting_columns(["a", "b"], 7.2) > 10
        assert fitting_columns(["a long name of a curve"] * 4, 3.33) == 1
        assert fitting_columns(["a long name of a curve" * 9], 3.33) == 1
