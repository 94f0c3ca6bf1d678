"""The experiments that run the pipelines of an advice."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from analysis.advice.candidates import Candidate
from analysis.advice.planned.arrangement import layout_of
from sim.rows import Row


def document_of(advice: dict[str, Any], row: Row, minibatches: int) -> Row:
    """The configuration that runs a row of an advice, for times and versions alone, with so many
    mini-batches of each worker."""
    path = Path(advice["profile"]).resolve()
    if "laid_out" not in row:
        chosen = Candidate(row["schedule"], row["microbatches"], row["backward"],
                           row["mitigation"])
        return chosen.document(path, advice["devices"], minibatches)
    pipeline: Row = {"schedule": row["schedule"], "layout": layout_of(row["layers"])}
    if row["chunks"] > 1:
        pipeline["chunks"] = row["chunks"]
    if row["replicas"] is not None:
        pipeline["replicas"] = row["replicas"]
    pipeline |= {"minibatches": minibatches * row["workers"],
                 "microbatches": row["microbatches"], "mitigation": row["mitigation"],
                 "backward": row["backward"]}
    document: Row = {"pipeline": pipeline, "costs": {"profile": str(path)},
                     "training": {"task": "none"}}
    if advice["given"]:
        document["cluster"] = dict(advice["given"])
    if row["workers"] > 1:
        document["workers"] = {"count": row["workers"]}
    if row["ways"] > 1:
        document["tensor"] = {"ways": row["ways"], **advice["ring"]}
    return document
