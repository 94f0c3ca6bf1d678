"""PipeDream's `graph.txt`: a network's layers with their times and sizes, as its profiler writes.

    node2 -- Linear(in_features=784) -- forward_compute_time=2.000, backward_compute_time=4.000,
        activation_size=1000.0, parameter_size=100.000[ -- stage_id=0]
        node1 -- node2

(a node on one line; edges are indented).  Times are milliseconds, sizes bytes; an activation size
may be a list, `[a; b]`, whose parts are sent together.

Source: PipeDream, `graph/graph.py` and `profiler/torchmodules/torchgraph` of its repository.
"""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from graphlib import CycleError, TopologicalSorter
from itertools import islice
from pathlib import Path

from sim.errors import InputError, ProfileError
from sim.files.reading import text_of
from sim.times.profile import Profile

MARK = "forward_compute_time="
TIMES = ("forward_compute_time", "backward_compute_time")
SIZES = ("activation_size", "parameter_size")
MOST = 1e12  # of milliseconds or bytes, so that a network's sums stay within a profile's bounds
_VALUE = re.compile(r"(\w+)=(\[[^\]]*\]|[^,]*)")


@dataclass(frozen=True)
class Node:
    """A layer of the graph: its name, seconds of its passes, bytes it makes and has."""

    name: str
    about: str
    forward_s: float
    backward_s: float
    output_bytes: float
    weight_bytes: float


def is_graph(path: str | Path) -> bool:
    """Whether a file is PipeDream's `graph.txt`: whether its first lines name times of a node.

    Raises ProfileError where it cannot be read.
    """
    return any(" -- " in line and MARK in line
               for line in islice(_text(path).splitlines(), 100))


def read_graph(path: str | Path) -> Profile:
    """The layers of a `graph.txt`, a stage of the result each, in an order that their edges allow.

    Where layers branch, a boundary sends what every layer before it made that one behind it
    needs, each once; the places where no more than one output crosses are `narrow` in its notes
    (see `sim.layouts.layers.narrow_in`).  [choice] A layer keeps of a micro-batch what it makes;
    an input of no bytes does not cross, since every stage can have it.
    Raises ProfileError with every line that is wrong.
    """
    nodes: dict[str, Node] = {}
    needs: dict[str, list[str]] = {}
    problems = []
    for number, line in enumerate(_text(path).splitlines(), 1):
        try:
            if line.strip():
                _take(line, nodes, needs)
        except ValueError as error:
            problems.append(f"{path}: line {number}: {error}")
    strange = sorted({name for edge in needs.items() for name in (edge[0], *edge[1])} - set(nodes))
    problems += [f"{path}: {name} has edges and no line of its own" for name in strange]
    if problems:
        raise ProfileError("\n".join(problems))
    return _profile(_order(path, nodes, needs), needs)


def _text(path: str | Path) -> str:
    try:
        return text_of(path)
    except InputError as error:
        raise ProfileError(str(error)) from None


def _take(line: str, nodes: dict[str, Node], needs: dict[str, list[str]]) -> None:
    """Add a line's node or edge.  Raises ValueError with what is wrong with it."""
    parts = [part.strip() for part in line.split(" -- ")]
    if line[0].isspace() and len(parts) == 2:
        needs.setdefault(parts[1], []).append(parts[0])
        return
    if len(parts) not in (3, 4):
        raise ValueError(f"neither a node nor an edge: {line.strip()[:60]!r}")
    name, about, values = parts[:3]
    found = dict(_VALUE.findall(values))
    missing = [each for each in (*TIMES, *SIZES) if each not in found]
    if missing:
        raise ValueError(f"{name} has no {missing[0]}")
    if name in nodes:
        raise ValueError(f"{name} is there twice")
    nodes[name] = Node(name, about, *(_number(name, each, found[each]) / 1000 for each in TIMES),
                       *(_number(name, each, found[each]) for each in SIZES))


def _number(name: str, what: str, text: str) -> float:
    """A value, or the sum of a list's.  Raises ValueError."""
    try:
        found = sum(float(each) for each in text.strip("[] ").split(";") if each.strip())
    except ValueError:
        found = -1.0
    if not 0 <= found <= MOST:
        raise ValueError(f"{name} has {text.strip()[:40]!r} as {what}, which is no number from 0 "
                         f"to {MOST:g}")
    return found


def _order(path: str | Path, nodes: Mapping[str, Node], needs: Mapping[str, Sequence[str]]
           ) -> list[Node]:
    """The nodes, each after those it needs and else as the file has them.  Raises ProfileError."""
    if not nodes:
        raise ProfileError(f"{path}: has no layers")
    sorter = TopologicalSorter({name: needs.get(name, []) for name in nodes})
    place = {name: number for number, name in enumerate(nodes)}
    order: list[Node] = []
    try:
        sorter.prepare()
    except CycleError as error:
        raise ProfileError(f"{path}: layers need each other in a circle: "
                           f"{' -> '.join(error.args[1])}") from None
    ready: list[str] = []
    while sorter.is_active():
        ready = sorted([*ready, *sorter.get_ready()], key=place.__getitem__, reverse=True)
        first = ready.pop()
        order.append(nodes[first])
        sorter.done(first)
    return order


def _profile(order: Sequence[Node], needs: Mapping[str, Sequence[str]]) -> Profile:
    place = {node.name: number for number, node in enumerate(order)}
    last = list(range(len(order)))  # the last layer that needs each one's output
    for name, before in needs.items():
        for each in before:
            last[place[each]] = max(last[place[each]], place[name])
    cross = [[node for node, until in zip(order[:end], last, strict=False) if until >= end]
             for end in range(1, len(order))]
    crossing = tuple(sum(node.output_bytes for node in each) for each in cross)
    narrow = [place for place, each in enumerate(cross)
              if sum(node.output_bytes > 0 or node.name in needs for node in each) <= 1]
    stages: list[dict[str, float]] = [
        {"forward_s": node.forward_s, "backward_s": node.backward_s,
         "weight_bytes": node.weight_bytes, "activation_bytes": node.output_bytes}
        for node in order]
    for stage, entry in zip(stages[1:], crossing, strict=True):
        stage["input_bytes"] = entry
    return Profile.model_validate({
        "format": "pipestale-profile", "version": 1,
        "stages": stages, "boundary_bytes": crossing,
        "notes": {"layers": [f"{node.name} {node.about}" for node in order], "narrow": narrow}})
