"""A sweep from its file to its table; begun again after a kill, it goes on where it was."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import closing
from importlib.metadata import version
from pathlib import Path
from typing import Any

from analysis.sweep.journal import Journal, Record
from analysis.sweep.points import Sweep
from analysis.sweep.pool import Workers
from analysis.sweep.tables import rows, write
from sim.rows import Row
from sim.wording import plural

JOURNAL = "points.jsonl"
Progress = Callable[[int, int], None]


def run_sweep(sweep: Sweep, out: Path, workers: Workers,
              progress: Progress = lambda done, failed: None,
              tell: Callable[[str], None] = lambda line: None) -> list[Row]:
    """Evaluate what `out` does not have yet and write its tables; the tables' rows.

    `progress(done, failed)` is called at the start and after every point, `tell` with a line about
    what was found damaged.  Raises
    ConfigurationError where `out` holds another sweep.
    """
    with Journal(out / JOURNAL, header(sweep)) as journal:
        if journal.damaged:
            tell(f"{journal.path}: {plural(journal.damaged, 'damaged line')} skipped; points that "
                 "have no other are done again")
        missing = [number for number in range(len(sweep)) if number not in journal.records]
        failed = sum(map(_has_failed, journal.records.values()))
        progress(len(journal.records), failed)
        with closing(workers(sweep.point, missing)) as records:
            for record in records:
                if record["point"] not in journal.records:  # a retried worker may do one twice
                    journal.add(record)
                    failed += _has_failed(record)
                    progress(len(journal.records), failed)
        found = rows([journal.records[number] for number in range(len(sweep))])
    write(found, out)
    return found


def _has_failed(record: Record) -> bool:
    return record["error"] is not None


def header(sweep: Sweep) -> dict[str, Any]:
    """What must be equal for a sweep to go on: its points, and the libraries that compute them."""
    return {"fingerprint": sweep.fingerprint, "points": len(sweep),
            "libraries": {name: version(name) for name in ("pipestale", "numpy", "scipy",
                                                           "scikit-learn")}}
