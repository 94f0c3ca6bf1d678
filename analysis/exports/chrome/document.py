"""A trace as Chrome trace JSON, which Perfetto (ui.perfetto.dev) and chrome://tracing open.

A process per device, a thread per stage on it, both in stage order; a slice per instruction with
its real duration and its versions, staleness and weight distance as arguments; arrows from the
pass that sends to the pass that receives; counters of what a stage holds.

What the viewers ask for beyond the format's document: plain ASCII, no arrays, `displayTimeUnit`
`ms` (old Perfettos read `ts` as nanoseconds under `ns`), thread numbers unique over all
processes, and every slice before the arrows that touch it.

Source: Trace Event Format (Google, 2016); Perfetto's loader `src/trace_processor/importers/json`.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from analysis.exports.chrome.counters import counters
from analysis.exports.chrome.flows import flows
from analysis.exports.chrome.slices import Event, Slices, slices
from sim.trace import Trace


def write(trace: Trace) -> bytes:
    """A trace as Chrome trace JSON, an event a line: names first, then all in order of time."""
    drawn = Slices.of(trace)
    timed = [*slices(trace, drawn), *flows(drawn), *counters(trace, drawn)]
    timed.sort(key=lambda each: each[0])
    events = [*names(drawn), *(event for _, event in timed)]
    lines = ",\n".join(json.dumps(each, separators=(",", ":"), allow_nan=False) for each in events)
    head = json.dumps({"displayTimeUnit": "ms", "otherData": about(trace)}, allow_nan=False)
    return f'{head[:-1]}, "traceEvents": [\n{lines}\n]}}\n'.encode()


def about(trace: Trace) -> dict[str, Any]:
    """What ran, for whoever opens the file: schedule, mitigation, sizes, seed; and the whole header
    as text, with which `analysis report` reads the file back."""
    pipeline, shape = trace.header.pipeline, trace.shape
    return {"tool": "pipestale", "schedule": pipeline["schedule"],
            "mitigation": trace.header.mitigation, "stages": shape.stages,
            "minibatches": shape.minibatches, "microbatches": shape.microbatches,
            "seed": trace.header.seed, "header": trace.header_json()}


def names(drawn: Slices) -> Iterator[Event]:
    """Events that name every process and thread, and place them in the order of the pipeline."""
    digits = len(str(len(drawn.pids) - 1))
    for device, pid in drawn.pids.items():
        yield from _named("process", pid, pid, f"device {device:0{digits}}", device)
    for place, (tid, (pid, name)) in enumerate(drawn.threads.items()):
        yield from _named("thread", pid, tid, name, place)


def _named(what: str, pid: int, tid: int, name: str, place: int) -> Iterator[Event]:
    for kind, value in (("name", name), ("sort_index", place)):
        yield {"ph": "M", "name": f"{what}_{kind}", "pid": pid, "tid": tid, "args": {kind: value}}
