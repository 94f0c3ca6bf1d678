"""The points of a sweep's picture: rows of equal x and by put together, with their spread."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from figures.sweeps.table import DIVERGED, Found
from figures.sweeps.words import Quantity, quantity
from sim.errors import ConfigurationError
from sim.rows import Row, Rows

MOST_NAMES = 10  # lines of a key whose values are names; numbers get a scale of colours
FEWEST = 3  # seeds of which a deviation is drawn; of fewer each value


def points_of(found: Found, x: str, y: str, by: str | None) -> Rows:
    """A row per point of the picture: `x`, `by`, `y`, the ends of its spread, how many it is of.

    Of a grid, several points with equal `x` and `by` become their mean with the lowest and the
    highest, and `lined` is true; those of a random search, which differ in every key, stay single.
    A single one that was run under three seeds or more has its mean less and plus one standard
    deviation.  `y` is None where none of them gave a number, `diverged` says how many did not since
    their training diverged; `over` names what the spread is over, `also` the keys in which points
    differ beside those shown, `x_key` and its like the columns.

    Raises ConfigurationError where there are more lines than can be told apart.
    """
    groups: dict[tuple[Any, Any], list[Row]] = {}
    for row in found.rows:
        groups.setdefault((row[x], None if by is None else row[by]), []).append(row)
    lines = {str(name) for _, name in groups}
    if by is not None and by not in found.numbers and len(lines) > MOST_NAMES:
        raise ConfigurationError([f"--by: {by} has {len(lines)} values, and at most {MOST_NAMES} "
                                  "lines can be told apart"])
    others, lined = found.others(x, by), found.is_grid(x, by)
    each = list(groups.items()) if lined else [(key, [row]) for key, rows in groups.items()
                                               for row in rows]
    made = [{"x": where, "by": line, **_together(rows, y, others), "also": ", ".join(others),
             "lined": lined, "x_key": x, "y_key": y, "by_key": by, "failed": found.failed}
            for (where, line), rows in each]
    if all(row["y"] is None for row in made):
        raise ConfigurationError([f"--y: no point has a number for {y}"])
    return sorted(made, key=lambda row: (_rank(row["by"]), _rank(row["x"])))


def _rank(value: Any) -> tuple[int, Any]:
    """Numbers by size, then names in no order of their own: as they come."""
    return (0, value) if isinstance(value, int | float) else (1, 0)


def _together(rows: Sequence[Row], y: str, others: Sequence[str]) -> Row:
    values = [float(row[y]) for row in rows if row[y] is not None]
    lost = sum(bool(row.get(DIVERGED)) for row in rows if row[y] is None)
    mean = float(np.mean(values)) if values else None
    row: Row = {"y": mean, "low": None, "high": None, "points": len(rows), "diverged": lost,
                "over": None}
    if len(rows) > 1 and values:
        return row | {"low": min(values), "high": max(values), "over": ", ".join(others)}
    if mean is not None:
        sd = rows[0].get(f"{y}_sd")
        seeds = _seeds(rows[0], y)
        if sd is not None:
            return row | {"low": mean - sd, "high": mean + sd, "over": "seeds"}
        if len(seeds) in range(2, FEWEST):
            return row | {"low": min(seeds), "high": max(seeds), "over": "two seeds"}
    return row


def _seeds(row: Row, y: str) -> list[float]:
    """The values of a quantity under each seed, where the table has them."""
    found = [value for name, value in row.items() if name.startswith(f"{y}_values.")]
    return [float(each) for each in found if each is not None]


def message(rows: Rows) -> str:
    """The headline: between what the quantity lies, and where."""
    known = [row for row in rows if row["y"] is not None]
    low, high = (end(known, key=lambda row: row["y"]) for end in (min, max))
    y = shown(rows, "y")
    name = f"{y.name[:1].upper()}{y.name[1:]}"
    if low["y"] == high["y"]:
        return f"{name}: {y.said(low['y'])} everywhere"
    return (f"{name} from {y.said(low['y'])} at {_where(rows, low)} to {y.said(high['y'])} at "
            f"{_where(rows, high)}")


def _where(rows: Rows, row: Row) -> str:
    keys = ("x", "by") if row["by_key"] else ("x",)
    quantities = [shown(rows, key) for key in keys]
    return ", ".join(f"{each.name} {each.said(row[key])}"
                     for key, each in zip(keys, quantities, strict=True))


def shown(rows: Rows, axis: str) -> Quantity:
    """How the column that `x`, `y` or `by` is of is shown."""
    return quantity(rows[0][f"{axis}_key"], [row[axis] for row in rows])
