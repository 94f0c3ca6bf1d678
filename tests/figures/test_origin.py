"""A picture's file says what made it, in all three formats."""

import csv
import hashlib
from pathlib import Path

import pytest

from figures.drawing.style import new_figure
from figures.origin import FORMATS, Origin, read_origin, save
from figures.rows import read_rows

ROWS = [{"x": 1, "y": 0.1, "name": "a, b", "good": True},
        {"x": 2, "y": None, "name": "λ (∞)", "good": False}]
COMMAND = r"python -m figures probe --set 'a=(1\2)' η"
CONFIGURATION = {"deep": {"list": [1, 2.5, "x)y(z\\"], "none": None, "η": "line\nbreak"}}


@pytest.fixture
def written(tmp_path: Path) -> list[Path]:
    figure = new_figure(2, 2)
    figure.subplots().plot([0, 1])
    return save(figure, ROWS, tmp_path, "probe", COMMAND, CONFIGURATION)


def test_every_format_gives_back_command_configuration_and_data(written: list[Path]) -> None:
    table = hashlib.sha256(written[-1].read_bytes()).hexdigest()
    assert [p.suffix[1:] for p in written] == [*FORMATS, "csv"] == ["png", "svg", "pdf", "csv"]
    for path in written[:-1]:
        assert read_origin(path) == Origin(COMMAND, CONFIGURATION, table)


def test_the_table_gives_back_its_rows(written: list[Path]) -> None:
    assert read_rows(written[-1]) == ROWS
    assert list(csv.reader(written[-1].open()))[1] == ["1", "0.1", "a, b", "True"]


def test_no_file_carries_a_date(tmp_path: Path, written: list[Path]) -> None:
    figure = new_figure(2, 2)
    figure.subplots().plot([0, 1])
    again = save(figure, ROWS, tmp_path / "again", "probe", COMMAND, CONFIGURATION)
    assert [p.read_bytes() for p in written] == [p.read_bytes() for p in again]
    assert b"CreationDate" not in written[2].read_bytes()


@pytest.mark.parametrize("kind", FORMATS)
def test_a_picture_of_another_house_is_refused(tmp_path: Path, kind: str) -> None:
    figure = new_figure(1, 1)
    figure.savefig(tmp_path / f"other.{kind}")
    with pytest.raises(ValueError, match="carries no origin"):
        read_origin(tmp_path / f"other.{kind}")


def test_other_files_are_refused_with_the_choices(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="a picture is png, svg, pdf"):
        read_origin(tmp_path / "x.jpg")
