"""A run from wherever it was recorded: our trace's file, or a profiler's Chrome traces."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

from analysis.measured.events import Document, files_of, is_chrome, read_document, spans
from analysis.measured.mapping import PYTORCH, Mapping
from analysis.measured.own import is_own, read_own
from analysis.measured.passes import find
from analysis.measured.recorded import recorded
from sim.errors import TraceError
from sim.trace import Trace


def read_run(path: str | Path, mapping: Mapping | None = None) -> Trace:
    """The trace in a file: ours, or what a Chrome trace (`.json`, `.json.gz`), or a folder with
    one of each rank, is by a mapping.

    Without one the ranges are those that PyTorch's pipelining names.  Raises TraceError,
    InputError or ConfigurationError.
    """
    if is_chrome(path):
        return measured(files_of(path), mapping)
    return Trace.load(path)


def measured(paths: Sequence[str | Path], mapping: Mapping | None = None) -> Trace:
    """The trace of the run whose Chrome traces these are, of one rank each where they are several.

    Raises as `read_run` does.
    """
    documents = [read_document(Path(path)) for path in paths]
    if mapping is None and len(documents) == 1 and is_own(documents[0]):
        return read_own(documents[0])
    documents.sort(key=lambda each: -1 if each.rank is None else each.rank)
    _refuse_clocks(documents)
    try:
        found = find([span for file, each in enumerate(documents) for span in spans(each, file)],
                     mapping or PYTORCH)
        return recorded(found, mapping or PYTORCH, [each.path for each in documents])
    except TraceError as error:
        where = f"{documents[0].path}{' and others' if len(documents) > 1 else ''}"
        text = str(error)
        said = text if text.startswith(str(documents[0].path.parent)) else f"{where}: {text}"
        more = "" if mapping is not None else (
            "; a mapping file (--mapping) says which ranges are passes")
        raise TraceError(f"{said}{more}") from None


def _refuse_clocks(documents: Sequence[Document]) -> None:
    """Refuse several files of which some say since when their times count, and some do not."""
    based = [bool(each.base_ns) for each in documents]
    if any(based) and not all(based):
        without = documents[based.index(False)].path
        raise TraceError(f"{without}: has no baseTimeNanoseconds, as others have, so the files "
                         "have no clock in common")
