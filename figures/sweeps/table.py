"""The table of a sweep as a picture needs it: columns by their short names, numbers checked."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from os import PathLike
from pathlib import Path
from typing import Any

from figures.rows import read_rows
from sim.errors import ConfigurationError, unknown
from sim.rows import Rows

FIRST, ERROR, DIVERGED = "point", "error", "diverged"  # settings stand between the first two
LISTED = 12  # columns that a refusal names
WANTED = ("final_loss", "accuracy", "makespan_s", "bubble_fraction",
          "steady_throughput_minibatches_per_s", "staleness.max", "inconsistent_fraction",
          "memory.peak_bytes.max")  # results named first
Table = str | PathLike[str] | Sequence[Mapping[str, Any]]


@dataclass(frozen=True)
class Found:
    """A sweep's rows, with the columns of its settings and those that hold numbers.

    `failed` are the points that ended in an error; they are none of the rows.
    """

    rows: Rows
    settings: tuple[str, ...]
    numbers: tuple[str, ...]
    errors: Rows

    @property
    def failed(self) -> int:
        """How many points failed."""
        return len(self.errors)

    def is_grid(self, *keys: str | None) -> bool:
        """Whether each combination of these keys' values was tried equally often, as a grid does,
        and not once each while other keys differ, as a random search does."""
        counts = Counter(tuple(str(row[key]) for key in keys if key is not None)
                         for row in [*self.rows, *self.errors])
        return len(set(counts.values())) == 1 and (max(counts.values()) > 1
                                                   or not self.others(*keys))

    def column(self, option: str, name: str) -> str:
        """The column that a name means: its own, or the only one that it is the end of.

        A setting's comes first (`stages` is `pipeline.stages`, which the results repeat).  Raises
        ConfigurationError, which begins with the option, where there is none.
        """
        ends = [each for each in self.settings if each == name or each.endswith(f".{name}")]
        if not ends and name in self.rows[0]:
            return name
        ends = ends or [each for each in self.rows[0] if each.endswith(f".{name}")]
        if len(ends) == 1:
            return ends[0]
        if ends:
            raise ConfigurationError([f"{option}: {name!r} may be {', '.join(ends[:LISTED])}; "
                                      "write it in full"])
        longer = [each for each in self.numbers if each.startswith(f"{name}.")]
        if longer:
            raise ConfigurationError([f"{option}: {name!r} is a list by stage; choose from "
                                      f"{', '.join(longer[:LISTED])}"])
        shorts = [each.rpartition(".")[2] for each in self.rows[0]]
        said = unknown("column", name, self.choices(), [*self.rows[0], *shorts])
        raise ConfigurationError([f"{option}: {said}"])

    def number(self, option: str, name: str) -> str:
        """The column of numbers that a name means.  Raises ConfigurationError as `column` does."""
        column = self.column(option, name)
        if column not in self.numbers:
            raise ConfigurationError([f"{option}: {column} holds no numbers; choose from "
                                      f"{', '.join(self.choices())}"])
        return column

    def choices(self) -> list[str]:
        """Settings, and the results that a reader most likely wants, for a refusal."""
        results = [each for each in WANTED if each in self.numbers]
        return [*self.settings, *results, *(["…"] if len(self.numbers) > len(results) else [])]

    def others(self, *shown: str | None) -> list[str]:
        """Settings that differ between rows beside those shown, and what says the same."""
        values = {each: [str(row[each]) for row in self.rows]
                  for each in (*self.settings, *shown) if each is not None}
        return [each for each in self.settings if each not in shown and len(set(values[each])) > 1
                and not any(_alike(values[each], values[key]) for key in shown if key is not None)]


def _alike(one: Sequence[str], other: Sequence[str]) -> bool:
    """Whether two columns tell the same rows apart."""
    pairs = len(set(zip(one, other, strict=True)))
    return pairs == len(set(one)) == len(set(other))


def read(table: Table) -> Found:
    """A sweep's `table.csv`, or its rows, without the points that failed.

    Raises ConfigurationError where it is no such table, or every point failed.
    """
    if isinstance(table, str | PathLike):
        name, rows = str(table), read_rows(Path(table))
    else:
        name, rows = "the table", [dict(row) for row in table]
    if not rows or FIRST not in rows[0] or ERROR not in rows[0]:
        raise ConfigurationError([f"{name}: not the table of a sweep (table.csv, as "
                                  "python -m sim sweep writes it)"])
    columns = list(rows[0])
    settings = columns[columns.index(FIRST) + 1 : columns.index(ERROR)]
    kept = [row for row in rows if not row[ERROR]]
    if not kept:
        raise ConfigurationError([f"{name}: every point failed, the first with "
                                  f"{rows[0][ERROR]}"])
    return Found(kept, tuple(settings), tuple(_numbers(kept, columns)),
                 [row for row in rows if row[ERROR]])


def _numbers(rows: Rows, columns: Sequence[str]) -> Iterator[str]:
    """Columns with a number in some rows, and in the others nothing."""
    for name in columns:
        values = [row[name] for row in rows if row[name] is not None]
        if name != FIRST and values and all(is_number(each) for each in values):
            yield name


def is_number(value: Any) -> bool:
    """Whether a cell holds a number; true and false are none."""
    return isinstance(value, int | float) and not isinstance(value, bool)
