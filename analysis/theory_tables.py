"""Tables for the terminal of what theory says: stability edges and steady states."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from rich.box import SIMPLE_HEAD
from rich.table import Table

from sim.door import number


def stability_table(rows: Sequence[dict[str, Any]]) -> Table:
    """A row per case: the edge by roots, as measured, and how far apart they are."""
    table = Table(title="largest stable ηλ on the quadratic", title_justify="left",
                  box=SIMPLE_HEAD, pad_edge=False)
    for name in ("mitigation", "convention", "backward"):
        table.add_column(name)
    for name in ("momentum", "delay", "horizon", "by roots", "measured", "apart"):
        table.add_column(name, justify="right")
    for row in rows:
        apart = row["relative_difference"]
        table.add_row(row["mitigation"], row["convention"], row["backward"],
                      *(number(row[key]) for key in ("momentum", "delay", "horizon")),
                      *(number(row[key], 5) for key in ("edge_roots", "edge_measured")),
                      "–" if apart is None else f"{100 * apart:.2f} %")
    return table
