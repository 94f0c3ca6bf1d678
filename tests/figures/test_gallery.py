"""The committed gallery: what it holds is what the code gives, and everybody can read it."""

import csv
import hashlib
import json
import math
import sys
from collections.abc import Iterator
from itertools import pairwise
from pathlib import Path
from typing import Any

import pytest
from matplotlib.figure import Figure

from analysis.advice.advise import advise
from figures.catalogue import FIGURES, Picture
from figures.gallery import page
from figures.methods import METHODS
from figures.origin import FORMATS, Origin, read_origin
from figures.pictures.stability import STEPS
from figures.pieces import Piece
from figures.rows import read_rows
from sim.experiment.run import run
from sim.numerics.training import train
from sim.rows import rows_as_csv
from sim.times.engine import simulate
from tests.figures.legible import complaints

GALLERY = Path(__file__).parents[2] / "figures" / "gallery"
PICTURES = {p.file: p for pictures in FIGURES.values() for p in pictures}
EVERY = pytest.mark.parametrize("name", PICTURES)
SAMPLED = (0.13, 0.47, 0.81)  # places among the pieces of a picture with many
# the piece of a picture whose pieces take seconds each
LONG = {"learning-5000": (0,), "drift": (5,)}
FEW = 6
# every method once, where a training is short; and an edge that is simulated
ALSO = {"staleness-3": range(len(METHODS)), "stability": (STEPS.index(0.9),)}
# Rounding differs between processors' matrix products and grows as training goes on.  In the
# pieces taken here four instruction sets differ by at most 9e-12 after 200 updates and 5e-9 at the
# end; elsewhere a training may be chaotic (1 of the 300 of `rates` is, at its highest rate).
EARLY_UPDATES, EARLY, LATE = 200, 1e-9, 1e-6
ONE_IMAGE = 1 / 360  # of the validation split


def rows_of(name: str) -> list[dict[str, Any]]:
    return read_rows(GALLERY / f"{name}.csv")


def origin_of(name: str) -> Origin:
    return read_origin(GALLERY / f"{name}.png")


def seeds_of(name: str) -> range:
    return range(len((origin_of(name).configuration or {}).get("seeds", [0])))


@EVERY
def test_pictures_carry_the_configuration_of_today_and_the_data_beside_them(name: str) -> None:
    origins = [read_origin(GALLERY / f"{name}.{kind}") for kind in FORMATS]
    assert origins[0] == origins[1] == origins[2]
    asked = PICTURES[name].origin(seeds_of(name))
    assert origins[0].configuration == json.loads(json.dumps(asked))
    table = (GALLERY / f"{name}.csv").read_bytes()
    assert origins[0].data_sha256 == hashlib.sha256(table).hexdigest()
    assert origins[0].command.startswith("python -m figures ")


@EVERY
def test_the_table_holds_every_piece_and_no_other(name: str) -> None:
    pieces, rows = PICTURES[name].pieces(seeds_of(name)), rows_of(name)
    keys = list(pieces[0].key)
    found = list(dict.fromkeys(tuple(row[key] for key in keys) for row in rows))
    assert found == list(dict.fromkeys(tuple(piece.key.values()) for piece in pieces))


def sampled() -> Iterator[Any]:
    for name, picture in PICTURES.items():
        pieces = picture.pieces(seeds_of(name)) if (GALLERY / f"{name}.png").exists() else []
        places = {*ALSO.get(name, ()), *(int(len(pieces) * at) for at in SAMPLED)}
        chosen = LONG.get(name, sorted(places) if len(pieces) > FEW else range(len(pieces)))
        for number in chosen if pieces else ():
            yield pytest.param(name, pieces[number], id=f"{name}-{number}")


@pytest.mark.slow
@pytest.mark.parametrize(("name", "piece"), list(sampled()))
def test_data_recomputed_are_the_data_committed(name: str, piece: Piece) -> None:
    kept = [row for row in rows_of(name)
            if all(row[key] == value for key, value in piece.key.items())]
    made = piece.rows()
    assert len(kept) == len(made) > 0
    for old, new in zip(kept, made, strict=True):
        assert set(new) <= set(old)
        for column, value in new.items():
            assert same(column, old[column], value, name, old), (column, old, new)


def same(column: str, old: Any, new: Any, name: str, row: dict[str, Any]) -> bool:
    """Equal; floats as far as rounding lets them be, see above."""
    if not isinstance(new, float | int) or isinstance(new, bool) or old is None:
        return bool(old == (None if new == "" else new))  # a cell that says nothing is None
    trained = "learning_rate" in (origin_of(name).configuration or {}).get("training", {})
    update = row.get("minibatch", row.get("update"))
    if not trained:
        return math.isclose(old, new, rel_tol=EARLY, abs_tol=1e-12)
    early = update is not None and update <= EARLY_UPDATES
    return math.isclose(old, new, rel_tol=EARLY if early else LATE,
                        abs_tol=1.01 * ONE_IMAGE if column == "accuracy" else 1e-12)


def test_the_comparison_can_fail() -> None:
    row = {"minibatch": 40}
    assert same("training_loss", 1.0, 1.0 + 1e-12, "learning", row)
    assert not same("training_loss", 1.0, 1.0 + 1e-8, "learning", row)
    assert not same("training_loss", 1.0, 1.001, "learning", {"minibatch": 800})
    assert not same("method", "none", "stash", "learning", row)
    assert not same("version_updates", 1, 2, "timeline", {})


@pytest.fixture
def nothing_runs(monkeypatch: pytest.MonkeyPatch) -> None:
    """Whoever simulates, trains or asks the advisor fails, wherever they took it from."""
    def refuse(*_: object, **__: object) -> None:
        raise AssertionError("simulated while plotting")

    for module in list(sys.modules.values()):
        if (module.__name__ or "").partition(".")[0] in ("sim", "analysis", "figures"):
            for name, value in list(vars(module).items()):
                if any(value is each for each in (run, simulate, train, advise)):
                    monkeypatch.setattr(module, name, refuse)


@EVERY
@pytest.mark.usefixtures("nothing_runs")
def test_data_alone_draw_a_figure_that_can_be_read(name: str) -> None:
    figure = PICTURES[name].draw(rows_of(name))
    assert list(complaints(figure)) == []
    assert sum(1 for text in figure.texts if text.get_fontweight() == "bold") >= 1
    assert headline_of(figure) == " ".join(PICTURES[name].message(rows_of(name)).split())


def headline_of(figure: Figure) -> str:
    return " ".join(text.get_text() for text in figure.texts if text.get_fontweight() == "bold")


@pytest.mark.usefixtures("nothing_runs")
def test_the_check_on_plotting_can_fail() -> None:
    with pytest.raises(AssertionError, match="simulated while plotting"):
        PICTURES["timeline"].data((0,))


@EVERY
def test_rows_survive_their_table(name: str) -> None:
    table = (GALLERY / f"{name}.csv").read_text()
    assert rows_as_csv(rows_of(name)) == table
    assert len(next(csv.reader(table.splitlines()))) > 3


def test_the_page_is_the_one_made_from_the_folder() -> None:
    text = (GALLERY / "README.md").read_text()
    assert text == page(GALLERY)
    order = [text.index(f"]({name}.png)") for name in PICTURES]
    assert all(a < b for a, b in pairwise(order))


def test_nothing_lies_in_the_gallery_that_no_figure_makes() -> None:
    made = {f"{name}.{kind}" for name in PICTURES for kind in (*FORMATS, "csv")}
    tables = {f"{table}.md" for picture in PICTURES.values() for table in picture.tables}
    assert {path.name for path in GALLERY.iterdir()} == made | tables | {"README.md"}


@pytest.mark.parametrize(("picture", "seeded"), [
    (PICTURES["timeline"], False), (PICTURES["learning"], True), (PICTURES["jitter"], True)],
    ids=lambda value: getattr(value, "file", value))
def test_seeds_are_named_where_they_matter(picture: Picture, seeded: bool) -> None:
    assert ("seeds" in picture.origin((0, 1))) == seeded
