"""Experiment files of an advice: each runs one point of the front and shows its period."""

from __future__ import annotations

import json
import math
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from analysis.advice.advise import name
from analysis.advice.candidates import Candidate
from sim.experiment.configuration import resolve
from sim.experiment.run import run
from sim.op import Op
from sim.rows import Row
from sim.times.limits import LONGEST_S
from sim.trace import Trace

SHORTEST, LAPS = 60, 24
MOST = 60_000  # micro-batches times stages to simulate in search of the settled run


def experiment_files(advice: dict[str, Any]) -> dict[str, str]:
    """An experiment file for every row of the front that costs something else than those before:
    its content by its name.

    The name is also written into the row, as its `experiment_file`.
    """
    written, lengths = {}, {}
    for row in advice["rows"]:
        if row["status"] != "front" or row["same_as"] is not None:
            continue
        where, chosen = Path(advice["profile"]).resolve(), _candidate(row)
        order = row["schedule"], row["microbatches"], row["backward"]
        if order not in lengths:
            lengths[order] = _long_enough(chosen, where, advice["devices"], row["period_s"])
        row["experiment_file"] = f"{name(row)}.toml"
        minibatches, settled = lengths[order]
        document = chosen.document(where, advice["devices"], minibatches)
        written[row["experiment_file"]] = _comment(row, settled) + as_toml(document)
    return written


def as_toml(document: dict[str, dict[str, Any]]) -> str:
    """A document as TOML: tables of strings and numbers, one level deep."""
    return "\n".join(f"[{table}]\n" + "".join(f"{key} = {_value(value)}\n"
                                              for key, value in keys.items())
                     for table, keys in document.items())


def _value(value: str | int) -> str:
    """JSON's strings are TOML's, but for one control character."""
    return json.dumps(value, ensure_ascii=False).replace("\x7f", "\\u007F")


def _comment(row: Row, settled: bool) -> str:
    how = "come at exactly" if settled else "approach"
    return (f"# Advised: {row['microbatches_per_s']:.6g} micro-batches/s in an endless run, "
            f"{row['period_s']:.9g} s per mini-batch,\n# at most {row['peak_bytes']:.6g} bytes on "
            "a device. A run also fills and drains the pipeline; its last steady\n# mini-batches "
            f"{how} this period.\n")


def _candidate(row: Row) -> Candidate:
    return Candidate(row["schedule"], row["microbatches"], row["backward"], row["mitigation"])


def _long_enough(chosen: Candidate, profile: Path, stages: int, period_s: float
                 ) -> tuple[int, bool]:
    """Mini-batches after which a run has settled into the period, else the most tried and no."""
    longest = max(1, int(LONGEST_S / (2 * period_s)))  # as long again to fill and drain
    minibatches = min(max(SHORTEST, 10 * stages), longest)
    while True:
        found = settled_period_s(run(resolve(chosen.document(profile, stages, minibatches))))
        if found is not None and math.isclose(found, period_s, rel_tol=1e-12):
            return minibatches, True
        if 2 * minibatches > longest or 2 * minibatches * stages * chosen.microbatches > MOST:
            return minibatches, False
        minibatches *= 2


def settled_period_s(trace: Trace, laps: Sequence[int] = range(1, LAPS + 1)) -> float | None:
    """Seconds per mini-batch once every stage's updates repeat exactly; None where they do not.

    Looks at the second half of the run without its last 4·S + 8 mini-batches, and for a
    repetition after each number of mini-batches in `laps`.
    """
    shape = trace.shape
    updates = trace.op == Op.U
    end = np.zeros((shape.stages, shape.minibatches))
    end[trace.stage[updates], trace.minibatch[updates] - 1] = trace.end_s[updates]
    end = end[:, shape.minibatches // 2 : shape.minibatches - 4 * shape.stages - 8]
    for lap in laps:
        step = end[:, lap:] - end[:, :-lap]
        if step.shape[1] > 1 and (step == step[0, 0]).all():
            return float(step[0, 0]) / lap
    return None
