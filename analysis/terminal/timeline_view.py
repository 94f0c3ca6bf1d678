"""A timeline as it is told: passes for machines, the papers' grid and a round trip for a screen."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from rich.text import Text

from analysis.metrics.staleness import max_staleness
from analysis.metrics.timeline import Pass, as_json, has_time_units, json_cells, round_trip
from analysis.metrics.timing import timing
from analysis.terminal.fitted.layout import Column
from analysis.terminal.fitted.table import FittedTable
from analysis.terminal.fitted.units import NONE, SECONDS, aligned, unit_for
from analysis.terminal.grid import blocks
from analysis.terminal.grid_text import cut, legend, lines
from sim.errors import ConfigurationError
from sim.trace import Trace


@dataclass(frozen=True)
class TimelineView:
    """A trace to be shown under one labelling, with the passes of the mini-batch asked for.

    No `passes` without a `minibatch`; `labels` is `time-unit` or `updates`.
    """

    trace: Trace
    labels: str
    minibatch: int | None
    passes: list[Pass]

    @classmethod
    def of(cls, trace: Trace, minibatch: int | None, labels: str | None) -> TimelineView:
        """The view of a trace; time units are the labels by default, where they are defined.

        Raises ConfigurationError naming the option.
        """
        units = has_time_units(trace)
        if labels == "time-unit" and not units:
            raise ConfigurationError(["--labels: time units are defined on round-robin with one "
                                      "micro-batch per mini-batch; choose updates"])
        try:
            passes = round_trip(trace, minibatch) if minibatch is not None else []
        except ValueError as error:
            raise ConfigurationError([f"--minibatch: {error}"]) from None
        return cls(trace, labels or ("time-unit" if units else "updates"), minibatch, passes)

    def as_json(self) -> list[dict[str, Any]]:
        """Plain objects: passes of the mini-batch asked for, else of the whole pipeline."""
        return json_cells(self.trace) if self.minibatch is None else as_json(self.passes)

    def told(self) -> dict[str, Any]:
        """What hints are made of: the part of a report that the picture shows."""
        found = timing(self.trace)
        return {"bubble_fraction": found.bubble_fraction, "makespan_s": found.makespan_s,
                "staleness": {"max": max_staleness(self.trace)}}

    def grid(self, width: int, **columns: Any) -> tuple[list[Text], list[str]]:
        """Lines of at most `width` characters, an empty one where they go on below; what was left
        out, and what the signs mean.

        `columns` are those of `analysis.terminal.grid.blocks`.  Raises ConfigurationError.
        """
        try:
            grids = blocks(self.trace, width, self.labels, minibatch=self.minibatch, **columns)
        except ValueError as error:
            raise ConfigurationError([f"--from, --to: {error}"]) from None
        drawn = [line for grid in grids for line in (Text(), *lines(grid))]
        left_out = cut(*grids, asked=columns.get("last"))
        return drawn[1:], [said for said in (left_out, legend(*grids)) if said]

    def tables(self) -> list[FittedTable]:
        """The round trip as a table; none without a mini-batch."""
        return [round_trip_table(self.passes, self.minibatch, self.trace)] if self.passes else []


def round_trip_table(passes: Sequence[Pass], minibatch: int | None, trace: Trace) -> FittedTable:
    """One mini-batch's passes for a screen, in time order, under both labellings.

    Time units stand there where they are defined.
    """
    unit = unit_for([each.start_s for each in passes], SECONDS)
    table = FittedTable(
        f"mini-batch {minibatch} of {trace.shape.minibatches}, mitigation "
        f"{trace.header.mitigation}",
        [Column("stage", key=True), Column("pass", left=True, key=True),
         Column("start", unit.sign), Column("time unit"), Column("version by time unit"),
         Column("SpecTrain's horizon s"), Column("version in updates"),
         Column("staleness in updates")])
    starts = aligned([unit.of(each.start_s) for each in passes], 6)
    late = aligned([each.staleness_updates for each in passes])
    for each, start, behind in zip(passes, starts, late, strict=True):
        micro = "" if each.microbatch is None else str(each.microbatch)
        label = each.version_time_unit
        table.add_row(str(each.stage), each.op + micro, start, _or_none(each.time_unit),
                      NONE if label is None else f"W{label}", _or_none(each.horizon),
                      str(each.version_updates), behind)
    return table


def _or_none(value: int | None) -> str:
    return NONE if value is None else str(value)
