"""Rows of a comparison against its first row: paired by the seeds they share."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Any

from sim.spread import ANY, POSITIVE, SHARE, Range, paired

OF_TRAINING = {"final_loss": POSITIVE, "accuracy": SHARE}
OF_SYSTEMS = {**OF_TRAINING, "seconds_to_target": ANY}  # seconds are gained or lost: a difference


def against_first(rows: Sequence[dict[str, Any]], name: Callable[[Mapping[str, Any]], str],
                  quantities: Mapping[str, Range]) -> list[dict[str, Any]]:
    """The rows, each with `versus`, the `name` of the first that is not refused, and `paired`.

    `paired` has by quantity what `sim.spread.Paired` says, None where a seed has no value; it is
    None, as `versus` is, in the first row and in a refused one.
    """
    first = next((row for row in rows if not row["refused"]), None)
    found = []
    for row in rows:
        if first is None or row is first or row["refused"]:
            found.append(row | {"versus": None, "paired": None})
        else:
            found.append(row | {"versus": name(first), "paired": {
                quantity: _pair(row, first, quantity, within)
                for quantity, within in quantities.items()}})
    return found


def _pair(row: Mapping[str, Any], first: Mapping[str, Any], quantity: str, within: Range
          ) -> dict[str, Any] | None:
    """None where either lacks a value for one of the seeds."""
    ours, theirs = (each[f"{quantity}_values"] for each in (row, first))
    if ours is None or theirs is None:
        return None
    return paired(ours, theirs, within).document()
