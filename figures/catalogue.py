"""Every figure by name: what makes its data, what draws them, what it says."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

from matplotlib.figure import Figure

from figures.origin import FORMATS, paths, save
from figures.pictures import (
    advice,
    bench,
    epochs,
    gantt,
    jitter,
    learning,
    memory,
    prediction,
    rates,
    stability,
    staleness,
    systems,
)
from figures.pictures.dynamic import drift, uneven
from figures.pictures.studies import nesterov, shallow, slots
from figures.pictures.validation import timelines
from figures.pieces import Done, Piece, collect
from sim.files.writing import check_file, write_text
from sim.rows import Rows


@dataclass(frozen=True)
class Picture:
    """One picture: data first (`pieces`), drawing second (`draw`), files last (`write`).

    `message` is its headline, read off the rows; `tables` are texts made from the rows, by name.
    """

    file: str
    pieces: Callable[[Sequence[int]], list[Piece]]
    draw: Callable[[Rows], Figure]
    message: Callable[[Rows], str]
    configuration: Callable[[], dict[str, Any]]
    tables: dict[str, Callable[[Rows, str], str]] = field(default_factory=dict)

    @property
    def seeded(self) -> bool:
        """Whether anything in it depends on seeds."""
        return [p.key for p in self.pieces((0,))] != [p.key for p in self.pieces((0, 1))]

    def data(self, seeds: Sequence[int], done: Done = lambda: None, jobs: int = 1) -> Rows:
        """The rows to draw; here alone anything is simulated."""
        return collect(self.pieces(seeds), done, jobs)

    def origin(self, seeds: Sequence[int]) -> dict[str, Any]:
        """The configuration to write into the picture, with its seeds."""
        return {**self.configuration(), **({"seeds": list(seeds)} if self.seeded else {})}

    def write(self, rows: Rows, out: Path, command: str, configuration: dict[str, Any] | None,
              name: str | None = None, formats: Sequence[str] = FORMATS) -> list[Path]:
        """Write the picture in these formats, its rows, and its tables as Markdown; their paths."""
        texts = {out / f"{table}.md": text(rows, command) for table, text in self.tables.items()}
        written = save(self.draw(rows), rows, out, name or self.file, command, configuration,
                       formats)
        for path, text in texts.items():  # made before anything is written: rows may be others'
            write_text(path, text)
        return [*written, *texts]

    def check_out(self, out: Path, formats: Sequence[str] = FORMATS, name: str | None = None
                  ) -> None:
        """Make sure that what `write` writes can be written.  Raises OutputError."""
        tables = (out / f"{table}.md" for table in self.tables)
        for path in (*paths(out, name or self.file, formats), *tables):
            check_file(path)


def _single(name: str, module: Any, **more: Any) -> tuple[Picture, ...]:
    return (Picture(name, module.pieces, module.draw, module.message, module.configuration,
                    **more),)


FIGURES: dict[str, tuple[Picture, ...]] = {
    "timeline": _single("timeline", gantt),
    "staleness": tuple(
        Picture(f"staleness-{stages}", partial(staleness.pieces, stages), staleness.draw,
                staleness.message, partial(staleness.configuration, stages))
        for stages in (3, 8)),
    "prediction": (Picture("prediction", prediction.pieces, prediction.draw_digits,
                           prediction.message, prediction.configuration),),
    "learning": tuple(
        Picture(name, partial(learning.pieces, minibatches), learning.draw, learning.message,
                partial(learning.configuration, minibatches))
        for name, minibatches in (("learning", 800), ("learning-5000", 5000))),
    "rates": _single("rates", rates, tables={"rates": rates.markdown}),
    "systems": _single("systems", systems, tables={"systems": systems.markdown}),
    "memory": _single("memory", memory),
    "epochs": _single("epochs", epochs),
    "advice": _single("advice", advice),
    "jitter": _single("jitter", jitter),
    "nesterov": _single("nesterov", nesterov),
    "slots": _single("slots", slots),
    "shallow": _single("shallow", shallow),
    "stability": _single("stability", stability),
    "drift": _single("drift", drift),
    "uneven": _single("uneven", uneven, tables={"uneven": uneven.markdown}),
    "validation": _single("validation", timelines),
}


# of this machine alone, from what another command wrote: no part of `all`, nor of the gallery
LOCAL: dict[str, tuple[Picture, ...]] = {"bench": _single("bench", bench)}
