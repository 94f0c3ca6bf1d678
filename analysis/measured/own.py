"""Chrome traces that we wrote ourselves, read back: every column as it was, and the header.

A run's curves, and weight distances that were not finite, are not in them.
"""

from __future__ import annotations

import json
from typing import Any

import numpy as np

from analysis.measured.events import Document
from sim.errors import InvalidProgramError, TraceError
from sim.header import TraceHeader
from sim.order.instruction import Instruction
from sim.trace import COLUMNS, FORMAT, HOST_COLUMNS, PAIR_COLUMNS, VERSION, Trace
from sim.trace_file.content import check_columns, check_versions
from sim.trace_file.heading import check_header

TOOL = "pipestale"


def is_own(document: Document) -> bool:
    """Whether a Chrome trace is one that `analysis export` wrote."""
    return document.about.get("tool") == TOOL


def read_own(document: Document) -> Trace:
    """The trace that a Chrome trace was made from.  Raises TraceError."""
    try:
        return _read(document)
    except TraceError as error:
        raise TraceError(f"{document.path}: {error}") from None
    except InvalidProgramError as error:
        raise TraceError(f"{document.path}: the instructions are no complete program: "
                         f"{error.rule}") from None
    except (KeyError, TypeError, ValueError, OverflowError, AttributeError) as error:
        raise TraceError(f"{document.path}: an event that is none of a run: {error!r}"[:300]
                         ) from None


def _read(document: Document) -> Trace:
    if "header" not in document.about:
        raise TraceError("written by an older version, without the run's header; export it again")
    table = json.loads(document.about["header"])
    found = table.pop("format"), table.pop("version")
    if found != (FORMAT, VERSION):
        raise TraceError(f"of {found[0]} version {found[1]}; this tool reads {FORMAT} version "
                         f"{VERSION}")
    header = TraceHeader.of(table)
    check_header(header)
    rows = [row for row in map(_row, document.events) if row is not None]
    rows.sort(key=lambda row: row["device"])  # in the file by time, so a device's in their order
    columns = dict(COLUMNS)
    for more in (HOST_COLUMNS, PAIR_COLUMNS):
        columns |= more if any(set(more) & set(row) for row in rows) else {}
    values: dict[str, Any] = {
        name: np.array([row[name] if name in row else _missing(name) for row in rows], dtype=dtype)
        for name, (dtype, _) in columns.items()}
    check_columns(values, header.shape, simulated=header.gpu is None)
    trace = Trace(header, **values)
    program = trace.program()
    check_versions(values, header.shape, several=program.several)
    return trace


def _row(event: Any) -> dict[str, Any] | None:
    """The columns of an event that is an instruction; None for any other."""
    arguments = event.get("args", {})
    if event.get("ph") not in ("X", "i") or "instruction" not in arguments:
        return None
    what = Instruction.parse(arguments["instruction"])
    return {**arguments, "device": int(event["pid"]) - 1, "op": int(what.op), "stage": what.stage,
                        "index": what.index, "count": what.count}


def _missing(name: str) -> float:
    """What stands for a value that does not apply.  Raises TraceError for one every row has."""
    kind = (COLUMNS | HOST_COLUMNS | PAIR_COLUMNS)[name][0]
    if kind != "float64" or name in ("start_s", "end_s"):
        raise TraceError(f"an instruction without {name}")
    return float("nan")
