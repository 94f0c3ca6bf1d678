"""Cells that several tables have: losses, accuracies and other numbers over seeds, and by stage."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any

from analysis.comparison.compare import spread_in
from analysis.terminal.fitted.layout import Column
from analysis.terminal.fitted.table import FittedTable, names
from analysis.terminal.fitted.units import NONE, PERCENT, short
from sim.spread import ENOUGH, FEWEST, Spread

STAGES = "a→b: first to last stage"  # how `span` writes them


def over_seeds(count: int) -> str:
    """What a table's title says of the seeds, and of how their spread is written."""
    if count == 1:
        return "one seed"
    said = ("each seed's value", "mean ± sd", "mean ± sd, [95 % interval of the mean]")
    return f"{count} seeds ({said[(count >= ENOUGH) + (count >= FEWEST)]})"


def loss(values: dict[str, Any]) -> str:
    """A cell of the final loss over seeds, or of how many it diverged."""
    if values["diverged"]:
        seeds = values["diverged_seeds"]
        return f"diverged ({len(seeds)} of {len(values['seeds'])})"
    return spread_cell(spread_in(values, "final_loss"), 3)


def spread_cell(found: Spread | None, digits: int) -> str:
    """A cell of a number over seeds, its interval in a line of its own; `–` where one has none."""
    if found is None:
        return NONE
    return found.text(lambda value: short(value, digits), lambda sd: short(sd, 1),
                      lambda bound: short(bound, 2), between="\n")


def accuracy(values: dict[str, Any]) -> str:
    """A cell of the validation accuracy over seeds, in percent."""
    found = spread_in(values, "accuracy")
    if found is None:
        return NONE
    return found.text(lambda value: f"{100 * value:.2f}",
                      bound=lambda value: f"{100 * value:.1f}", between="\n")


def span(values: Sequence[float | None]) -> str:
    """What the stages have, from first to last: one number where all agree, else `2→0`."""
    texts = [short(value, 2) for value in values]
    return texts[0] if len(set(texts)) == 1 else f"{texts[0]}→{texts[-1]}"


def percent_span(shares: Sequence[float | None]) -> str:
    """What the stages have of a share, in percent, from first to last, as `span` writes it."""
    return span([PERCENT.of(share) for share in shares])


def fullest(values: dict[str, Any]) -> float:
    """Bytes of the fullest device at its worst moment."""
    return float(max(values["memory"]["peak_device_bytes"]))


def refusals(reasons: Iterable[tuple[str, str]]) -> list[FittedTable]:
    """A row for each that was refused, with its reason; no table where none was."""
    table = FittedTable("refused", [names("what"), Column("reason", left=True, words=True)])
    for what, reason in reasons:
        table.add_row(what, reason)
    return [table] if table.rows else []
