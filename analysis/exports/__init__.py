"""Traces for other tools: one file each, a function `write` from a trace to the file's bytes."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from sim.trace import Trace

# Format to module; a module is imported when its format is asked for
FORMATS = {
    "csv": "analysis.exports.spans_csv",
    "chrome": "analysis.exports.chrome.document",
    "torch-csv": "analysis.exports.torch_csv",
    "torch-csv-comms": "analysis.exports.torch_csv_comms",
    "parquet": "analysis.exports.parquet",
}


def export(trace: Trace, form: str) -> bytes:
    """The bytes of a trace in one of `FORMATS`.

    Raises MissingPartError where a library is missing, InvalidProgramError where the format has
    no word for an instruction.
    """
    content: bytes = import_module(FORMATS[form]).write(trace)
    return content
