"""Events of Chrome traces: JSON as torch.profiler, Perfetto's tools and we ourselves write it.

Source: Trace Event Format (Google, 2016); torch 2.13's export: microseconds since
`baseTimeNanoseconds`, `distributedInfo.rank` where there is a process group.
"""

from __future__ import annotations

import gzip
import json
import math
import zlib
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sim.errors import TraceError
from sim.files.reading import opened

SUFFIXES = (".json", ".json.gz")
MOST_BYTES = 1 << 29  # of JSON: what is read takes ten times as much memory
LONGEST_NS = 2**62


@dataclass(frozen=True)
class Document:
    """A Chrome trace: its events as JSON has them, what it says of itself, and its clock.

    `base_ns` is the nanosecond that its times count from, 0 where it does not say; `rank` its place
    in a process group (None: not said).
    """

    path: Path
    events: list[Any]
    about: dict[str, Any]
    base_ns: int
    rank: int | None


@dataclass(frozen=True, slots=True)
class Span:
    """A named range of one thread, from `start_ns` to `end_ns` in nanoseconds of all files' clock;
    `file` counts the files from 0."""

    name: str
    category: str
    start_ns: int
    end_ns: int
    file: int
    process: str
    thread: str


def is_chrome(path: str | Path) -> bool:
    """Whether a path names a Chrome trace, or a folder that has some."""
    path = Path(path)
    return path.name.endswith(SUFFIXES) or path.is_dir()


def files_of(path: str | Path) -> list[Path]:
    """The Chrome traces of one run: a file, or all in a folder, in the order of their names.

    Raises TraceError where a folder has none.
    """
    path = Path(path)
    if not path.is_dir():
        return [path]
    found = sorted(each for each in path.iterdir() if each.name.endswith(SUFFIXES))
    if not found:
        raise TraceError(f"{path}: a folder without Chrome traces ({', '.join(SUFFIXES)})")
    return found


def read_document(path: Path) -> Document:
    """A Chrome trace's JSON, packed or not.  Raises TraceError or InputError."""
    with opened(path, MOST_BYTES) as file:
        try:
            if path.name.endswith(".gz"):
                with gzip.open(file) as unpacked:
                    content = unpacked.read(MOST_BYTES + 1)
            else:
                content = file.read(MOST_BYTES + 1)
        except (OSError, EOFError, zlib.error) as error:
            raise TraceError(f"{path}: {error or 'ends early'}") from None
    if len(content) > MOST_BYTES:
        raise TraceError(f"{path}: has more than {MOST_BYTES / 1e6:.0f} MB of JSON; profile fewer "
                         "steps")
    try:
        found = json.loads(content)
    except (ValueError, RecursionError) as error:
        raise TraceError(f"{path}: not JSON: {error}") from None
    table = {"traceEvents": found} if isinstance(found, list) else found
    if not isinstance(table, dict) or not isinstance(table.get("traceEvents"), list):
        raise TraceError(f"{path}: not a Chrome trace: it has no list traceEvents")
    about, base, group = (table.get(name) for name in (
        "otherData", "baseTimeNanoseconds", "distributedInfo"))
    rank = group.get("rank") if isinstance(group, dict) else None
    return Document(path, table["traceEvents"], about if isinstance(about, dict) else {},
                    base if type(base) is int and 0 <= base < LONGEST_NS else 0,
                    rank if type(rank) is int else None)


def spans(document: Document, file: int) -> Iterator[Span]:
    """The ranges of a trace: complete events, and those with a beginning and an end of their own.

    Raises TraceError for a time that is none.
    """
    begun: dict[tuple[str, str], list[tuple[dict[str, Any], int]]] = {}
    for event in document.events:
        phase = event.get("ph") if isinstance(event, dict) else None
        if phase not in ("X", "B", "E"):
            continue
        process, thread = str(event.get("pid", "")), str(event.get("tid", ""))
        at = _nanoseconds(document, event, "ts")
        stack = begun.setdefault((process, thread), [])
        if phase == "B":
            stack.append((event, at))
            continue
        if phase == "E" and not stack:
            continue  # begun before the profiler was
        first, start = (event, at) if phase == "X" else stack.pop()
        end = at + _nanoseconds(document, event, "dur") if phase == "X" else at
        yield Span(str(first.get("name", "")), str(first.get("cat", "")),
                   document.base_ns + start, document.base_ns + end, file, process, thread)


def _nanoseconds(document: Document, event: dict[str, Any], key: str) -> int:
    """A time of an event, given in microseconds.  Raises TraceError."""
    value: Any = event.get(key, 0 if key == "dur" else None)
    right = type(value) in (int, float) and math.isfinite(value) and abs(value) < LONGEST_NS / 1000
    if not right or (key == "dur" and value < 0):
        raise TraceError(f"{document.path}: event {str(event.get('name'))[:60]!r}: {key} is no "
                         f"number of microseconds, got {str(value)[:40]}")
    found: int = round(value * 1000)
    return found
