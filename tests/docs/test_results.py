"""The results' generated tables are those beside the gallery's pictures."""

import pytest

from figures.pictures import rates, systems
from figures.pictures.dynamic import uneven
from figures.rows import read_rows
from figures.splice import splice
from tests.docs.documents import ROOT, text_of

GALLERY = ROOT / "figures/gallery"
TABLES = pytest.mark.parametrize(("name", "picture"), [
    ("rates", rates), ("systems", systems), ("uneven", uneven)])


@TABLES
def test_results_show_the_tables_made_from_the_gallerys_data(name, picture) -> None:
    text = (GALLERY / f"{name}.md").read_text(encoding="utf-8")
    assert f"<!-- {name} -->\n{text}<!-- /{name} -->" in text_of("figures/RESULTS.md")
    assert picture.markdown(read_rows(GALLERY / f"{name}.csv"), text.split("`")[1]) == text


@TABLES
def test_make_gallery_finds_the_markers(name, picture, tmp_path) -> None:
    assert "--readme figures/RESULTS.md" in text_of("Makefile")
    results = tmp_path / "RESULTS.md"
    results.write_text(text_of("figures/RESULTS.md"), encoding="utf-8")
    splice(results, name, "new\n")
    assert f"<!-- {name} -->\nnew\n<!-- /{name} -->" in results.read_text(encoding="utf-8")


def test_speed_stands_between_its_markers() -> None:
    text = text_of("tests/bench/README.md")
    assert text.count("<!-- bench -->") == text.count("<!-- /bench -->") == 1
