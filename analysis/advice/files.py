"""Experiment files of an advice: each runs one point of the front and shows its period."""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from typing import Any

import numpy as np

from analysis.advice.documents import document_of, program_of
from analysis.advice.ranking import name
from sim.experiment.configuration import resolve
from sim.experiment.program_file import with_program
from sim.experiment.run import run
from sim.op import Op
from sim.order.program import Program
from sim.rows import Row
from sim.times.limits import LONGEST_S
from sim.trace import Trace

SHORTEST, LAPS = 60, 24
MOST = 60_000  # micro-batches times stages to simulate in search of the settled run


def experiment_files(advice: dict[str, Any]) -> dict[str, str]:
    """An experiment file for every row of the front that costs something else than those before:
    its content by its name.

    The name is also written into the row, as its `experiment_file`; that of the order, where it was
    searched for, as its `program_file`.
    """
    written, lengths = {}, {}
    for row in advice["rows"]:
        if row["status"] != "front" or row["same_as"] is not None:
            continue
        order = name(row | {"mitigation": "any"})
        if order not in lengths:
            lengths[order] = _long_enough(advice, row)
        row["experiment_file"] = f"{name(row)}.toml"
        minibatches, settled = lengths[order]
        document = document_of(advice, row, minibatches)
        written[row["experiment_file"]] = _comment(row, settled) + as_toml(document)
        if "program" in row:
            row["program_file"] = f"{name(row)}.program"
            written[row["program_file"]] = row["program"]
    return written


def as_toml(document: dict[str, dict[str, Any]]) -> str:
    """A document as TOML: tables of strings, numbers and lists of them, one level deep."""
    return "\n".join(f"[{table}]\n" + "".join(f"{key} = {_value(value)}\n"
                                              for key, value in keys.items())
                     for table, keys in document.items())


def _value(value: str | float | list[int]) -> str:
    """JSON's strings, numbers and lists are TOML's, but for one control character."""
    return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007F")


def _comment(row: Row, settled: bool) -> str:
    how = "come at exactly" if settled else "approach"
    return (f"# Advised: {row['microbatches_per_s']:.6g} micro-batches/s in an endless run, "
            f"{row['period_s']:.9g} s per mini-batch,\n# at most {row['peak_bytes']:.6g} bytes on "
            "a device. A run also fills and drains the pipeline; its last steady\n# mini-batches "
            f"{how} this period.\n"
            + f"# Run it with --program {name(row)}.program.\n" * ("program" in row))


def _long_enough(advice: dict[str, Any], row: Row) -> tuple[int, bool]:
    """Mini-batches of a worker after which a run has settled into the period, else the most tried
    and no."""
    workers, stages = row.get("workers", 1), row.get("stages", advice["devices"])
    program = program_of(row)
    longest = max(1, int(LONGEST_S / (2 * row["period_s"])))  # as long again to fill and drain
    minibatches, each = min(max(SHORTEST, 10 * stages), longest), row["microbatches"] * workers
    while True:
        trace = _run(document_of(advice, row, minibatches), program)
        found = settled_period_s(trace.first_worker())
        if found is not None and math.isclose(found / workers, row["period_s"], rel_tol=1e-12):
            return minibatches, True
        if 2 * minibatches > longest or 2 * minibatches * stages * each > MOST:
            return minibatches, False
        minibatches *= 2


def _run(document: Row, program: Program | None) -> Trace:
    """A run of an experiment, in the order of a mini-batch's program where there is one."""
    if program is None:
        return run(resolve(document))
    return run(*with_program(document, program))


def settled_period_s(trace: Trace, laps: Sequence[int] = range(1, LAPS + 1)) -> float | None:
    """Seconds per mini-batch once every stage's updates repeat exactly; None where they do not.

    Looks at the second half of the run without its last 4·S + 8 mini-batches, and for a
    repetition after each number of mini-batches in `laps`.
    """
    shape = trace.shape
    updates = trace.op == Op.U
    end = np.full((shape.stages, shape.minibatches), np.nan)  # where a stage has none
    end[trace.stage[updates], trace.minibatch[updates] - 1] = trace.end_s[updates]
    end = end[:, shape.minibatches // 2 : shape.minibatches - 4 * shape.stages - 8]
    for lap in laps:
        step = end[:, lap:] - end[:, :-lap]
        if step.shape[1] < 2 or (np.isnan(end[:, lap:]) != np.isnan(end[:, :-lap])).any():
            continue
        there = step[~np.isnan(step)]
        if len(there) and (there == there[0]).all():
            return float(there[0]) / lap
    return None
