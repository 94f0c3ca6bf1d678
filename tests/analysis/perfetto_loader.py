"""What Perfetto's JSON loader makes of a file, strictly: what it would drop or misread raises.

Written from the Trace Event Format document and from Perfetto's own loader
(`src/trace_processor/importers/json` and `importers/common/{slice,flow}_tracker`), since its
binaries are not to be had everywhere: `ts` is read as decimal text and `dur` as a double times
1000, both truncated to nanoseconds; events are sorted by `ts`, stably; a slice closes what has
ended on its thread and must then lie inside what is open; an arrow binds to the last slice opened
on its thread; a thread's name belongs to its number alone.
"""

from __future__ import annotations

import json
from collections import defaultdict
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Any

ARGUMENT = (int, str, Decimal)
ALLOWED = {  # keys by phase, all of them required
    "M": {"pid", "tid", "name", "args"},
    "X": {"pid", "tid", "name", "cat", "args", "ts", "dur"},
    "i": {"pid", "tid", "name", "cat", "args", "ts", "s"},
    "C": {"pid", "name", "cat", "args", "ts"},
    "s": {"pid", "tid", "name", "cat", "ts", "id"},
    "f": {"pid", "tid", "name", "cat", "ts", "id", "bp"},
}
METADATA = {"process_name": "name", "thread_name": "name",
            "process_sort_index": "sort_index", "thread_sort_index": "sort_index"}


@dataclass
class Slice:
    pid: int
    tid: int
    name: str
    category: str
    start_ns: int
    end_ns: int
    arguments: dict[str, Any]


@dataclass
class Loaded:
    """Tables as Perfetto has them."""

    processes: dict[int, str] = field(default_factory=dict)
    threads: dict[int, tuple[int, str]] = field(default_factory=dict)  # by tid alone
    places: dict[tuple[str, int], int] = field(default_factory=dict)
    slices: list[Slice] = field(default_factory=list)
    flows: list[tuple[str, Slice, Slice]] = field(default_factory=list)
    counters: dict[tuple[int, str, str], list[tuple[int, float]]] = field(
        default_factory=lambda: defaultdict(list))


def load(content: bytes) -> Loaded:
    text = content.decode("ascii")  # old Perfettos refuse every \\u escape
    assert "\\u" not in text
    document = json.loads(text, parse_float=Decimal, parse_constant=_refuse)
    assert next(iter(document)) == "displayTimeUnit"  # later it is read too late
    assert document["displayTimeUnit"] == "ms"  # "ns" once changed the unit of ts
    assert list(document)[-1] == "traceEvents"  # old Perfettos stop at a key they do not know
    loaded = Loaded()
    events = document["traceEvents"]
    for event in events:
        _check(event)
    timed = [e for e in events if e["ph"] != "M"]
    for event in (e for e in events if e["ph"] == "M"):
        _metadata(event, loaded)
    track = _Tracks(loaded)
    for event in sorted(timed, key=lambda e: _ts_ns(e["ts"])):
        track.take(event)
    assert not track.open_flows, "arrows that never end"
    return loaded


def _refuse(constant: str) -> None:
    raise AssertionError(f"{constant} is no JSON")


def _check(event: dict[str, Any]) -> None:
    """Keys and types of one event."""
    assert event["ph"] in ALLOWED, event
    assert set(event) == ALLOWED[event["ph"]] | {"ph"}, event
    assert isinstance(event["name"], str), event
    assert event["name"], event
    for key in ("pid", "tid"):
        if key in event:
            assert isinstance(event[key], int), event
            assert 0 < event[key] < 2**31, "0 is the idle thread"
    if "id" in event:
        assert isinstance(event["id"], int), "a string is read as hexadecimal"
    for value in event.get("args", {}).values():
        assert isinstance(value, ARGUMENT), event
    if event["ph"] == "C":
        assert all(not isinstance(v, str) for v in event["args"].values())
        assert event["args"]


def _ts_ns(value: int | Decimal) -> int:
    assert value >= 0
    return int(Decimal(value) * 1000)


def _dur_ns(value: int | Decimal) -> int:
    return int(float(value) * 1000.0) if isinstance(value, Decimal) else value * 1000


def _metadata(event: dict[str, Any], loaded: Loaded) -> None:
    assert list(event["args"]) == [METADATA[event["name"]]]
    (value,) = event["args"].values()
    if event["name"] == "process_name":
        assert event["pid"] not in loaded.processes
        loaded.processes[event["pid"]] = value
    elif event["name"] == "thread_name":
        assert event["tid"] not in loaded.threads, "the name would be overwritten"
        loaded.threads[event["tid"]] = event["pid"], value
    else:
        kind = event["name"].partition("_")[0]
        loaded.places[kind, event["pid" if kind == "process" else "tid"]] = value


class _Tracks:
    """A stack of open slices per thread, and the arrows under way."""

    def __init__(self, loaded: Loaded) -> None:
        self.loaded = loaded
        self.stacks: dict[int, list[Slice]] = defaultdict(list)
        self.open_flows: dict[tuple[int, str, str], Slice] = {}

    def take(self, event: dict[str, Any]) -> None:
        at = _ts_ns(event["ts"])
        {"X": self.begin, "i": self.begin, "C": self.count, "s": self.send,
         "f": self.receive}[event["ph"]](event, at)

    def begin(self, event: dict[str, Any], at: int) -> None:
        pid, _ = self.loaded.threads[event["tid"]]
        assert pid == event["pid"], "a thread of another process"
        length = _dur_ns(event["dur"]) if event["ph"] == "X" else 0
        assert length > 0 or event.get("s") == "t"
        stack = self.stacks[event["tid"]]
        while stack and stack[-1].end_ns <= at:
            stack.pop()
        assert not stack or at + length <= stack[-1].end_ns, "slices overlap"
        new = Slice(pid, event["tid"], event["name"], event["cat"], at, at + length,
                    event["args"])
        stack.append(new)
        self.loaded.slices.append(new)

    def count(self, event: dict[str, Any], at: int) -> None:
        assert event["pid"] in self.loaded.processes
        for key, value in event["args"].items():
            self.loaded.counters[event["pid"], event["name"], key].append((at, float(value)))

    def bound(self, event: dict[str, Any], at: int) -> Slice:
        """The slice an arrow's end touches: it must still be running at that moment."""
        stack = self.stacks[event["tid"]]
        assert stack, "flow_no_enclosing_slice"
        found = stack[-1]
        assert found.start_ns <= at < max(found.end_ns, found.start_ns + 1)
        return found

    def send(self, event: dict[str, Any], at: int) -> None:
        key = event["id"], event["cat"], event["name"]
        assert key not in self.open_flows, "flow_duplicate_id"
        self.open_flows[key] = self.bound(event, at)

    def receive(self, event: dict[str, Any], at: int) -> None:
        assert event["bp"] == "e", "else it binds to the next slice to begin"
        sender = self.open_flows.pop((event["id"], event["cat"], event["name"]), None)
        assert sender is not None, "flow_end_without_start"
        self.loaded.flows.append((event["name"], sender, self.bound(event, at)))
