"""The experiments that run the pipelines of an advice."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from analysis.advice.candidates import Candidate
from analysis.advice.planned.arrangement import layout_of
from sim.library.running import parse_program
from sim.order.program import Program
from sim.rows import Row


def program_of(row: Row) -> Program | None:
    """The mini-batch of an order that was searched for; None where the row's has a name."""
    return parse_program(row["program"]) if "program" in row else None


def document_of(advice: dict[str, Any], row: Row, minibatches: int) -> Row:
    """The configuration that runs a row of an advice, for times and versions alone, with so many
    mini-batches of each worker."""
    path = Path(advice["profile"]).resolve()
    if "laid_out" not in row:
        chosen = Candidate(row["schedule"], row["microbatches"], row["backward"],
                           row["mitigation"])
        return chosen.document(path, advice["devices"], minibatches)
    named = "program" not in row  # else its file says the order
    pipeline: Row = {"schedule": row["schedule"]} if named else {}
    pipeline["layout"] = layout_of(row["layers"])
    if named and row["chunks"] > 1:
        pipeline["chunks"] = row["chunks"]
    for option in ("replicas", "warmup"):
        if row[option] is not None:
            pipeline[option] = row[option]
    pipeline |= {"minibatches": minibatches * row["workers"],
                 "microbatches": row["microbatches"], "mitigation": row["mitigation"],
                 "backward": row["backward"]}
    document: Row = {"pipeline": pipeline, "costs": {"profile": str(path)},
                     "training": {"task": "none"}}
    if advice["given"]:
        document["cluster"] = dict(advice["given"])
    if row["workers"] > 1:
        document["workers"] = {"count": row["workers"]}
    if row["tensor"] is not None:
        document["tensor"] = dict(row["tensor"])
    return document
