"""Pictures of what machines measured: drawn from every committed table, legible in print."""

from collections.abc import Callable
from pathlib import Path

import pytest
from matplotlib.figure import Figure

from figures.bundles import network, split_sizes, staleness, tutorial
from figures.origin import read_origin
from figures.pictures import prediction
from figures.rows import read_rows
from figures.traces.validated import event_errors, pairs, scatter
from sim.errors import ConfigurationError
from sim.rows import Rows
from tests.figures.legible import complaints

MEASURED = Path(__file__).parents[2] / "figures" / "measured"
SETTING = "reduced setting: narrow, 4 stages, batch 16, synthetic images, 3 seeds"
PICTURES: dict[str, Callable[[Rows], Figure]] = {
    "distances": lambda rows: network.draw_distances(rows, SETTING),
    "curves": lambda rows: network.draw_curves_by_minibatch(rows, SETTING, 0.95),
    "prediction": lambda rows: prediction.draw(rows, SETTING),
    "split_sizes": lambda rows: split_sizes.draw(rows, 20, SETTING),
    "look_ahead": lambda rows: split_sizes.draw_look_ahead(rows, SETTING),
    "look_ahead_time": lambda rows: split_sizes.draw_totals(rows, SETTING),
    "validation": pairs.draw,
    "scatter": scatter.draw,
    "event_errors": event_errors.draw,
}
TABLES = sorted(p for p in MEASURED.rglob("*.csv") if p.stem in PICTURES)
FIRST = {path.stem: path for path in reversed(TABLES)}.values()  # of every kind of picture


def test_there_is_a_table_of_every_kind() -> None:
    assert {path.stem for path in TABLES} == set(PICTURES)


@pytest.mark.parametrize("path", [
    pytest.param(path, id="-".join(path.relative_to(MEASURED).parts),
                 marks=() if path in FIRST else pytest.mark.verify) for path in TABLES])
def test_measured_pictures_can_be_read(path: Path) -> None:
    assert list(complaints(PICTURES[path.stem](read_rows(path)))) == []


@pytest.mark.parametrize(("study", "folder", "names"), [
    (tutorial, "h100-halves/tutorial", tutorial.NAMES),
    (staleness, "cpu-2core/staleness", ("distances", "curves", "prediction"))],
    ids=["tutorial", "staleness"])
def test_a_studys_folder_is_drawn_again(study, folder, names, tmp_path, monkeypatch) -> None:
    saved: dict[str, tuple[str, Rows]] = {}

    def kept(figure: Figure, rows: Rows, out: Path, name: str, command: str) -> list[Path]:
        assert any(text.get_fontweight() == "bold" for text in figure.texts)
        saved[name] = command, rows
        return [out / name]

    monkeypatch.setattr(f"{study.__name__}.save", kept)
    assert study.draw(MEASURED / folder, tmp_path) == [tmp_path / name for name in names]
    for name, (command, rows) in saved.items():
        assert command == read_origin(MEASURED / folder / f"{name}.png").command
        assert rows == read_rows(MEASURED / folder / f"{name}.csv")
    with pytest.raises(ConfigurationError, match="there is no such file"):
        study.draw(tmp_path, tmp_path)
    (tmp_path / study.REPORT).write_text("{}")
    with pytest.raises(ConfigurationError, match="not the report of a study"):
        study.draw(tmp_path, tmp_path)


def test_headlines_of_studies_are_read_off_their_rows() -> None:
    curves = [{"method": name, "seed": seed, "minibatch": at, "quantity": "validation_accuracy",
               "value": 0.5 + at / 100 * speed + seed / 1000}
              for name, speed in (("none", 0.5), ("spectrain", 2.0), ("stash", 0.1))
              for seed in (0, 1) for at in range(10, 101, 10)]
    assert network.target_message(curves, 0.95) == (
        "Mini-batches to 95 % validation accuracy: 30/30 (spectrain), 90/90 (none)")
    assert network.target_message(curves, 0.999).endswith(
        "30/30 (spectrain), 100/100 (none)")
    assert "not reached in 2 of 2 seeds (none)" in network.target_message(curves, 1.2)
    far = [{"method": name, "seed": 0, "pass": "forward", "stage": 0, "lag": 3.0, "relative": r}
           for name, r in (("stash", 0.04), ("spectrain", 0.02))]
    assert network.distances_message(far) == (
        "The first stage's forward is 3 updates late (stash): its weights are 4 % (stash), "
        "2 % (spectrain) from fresh ones")
