"""Inputs that once ended badly, by name: of each the first that was found, and its sisters."""

from __future__ import annotations

import json
from collections.abc import Callable
from random import Random
from typing import Any

import numpy as np

from tests.fuzz.case import Case
from tests.fuzz.kinds import traces
from tests.fuzz.kinds.journals import finished
from tests.fuzz.kinds.options import PLACES, WRITERS
from tests.fuzz.kinds.pictures import FILES, GALLERY
from tests.fuzz.kinds.profiles import EXPERIMENT, STAGE, WHOLE
from tests.fuzz.kinds.sweeps import BASE, GRID
from tests.fuzz.text import json_text, toml

TINY = ("stages=2", "minibatches=3", "batch_size=4", "width=2")


def found() -> dict[str, Case]:
    """Every case by its name."""
    return {**_places(), **_profiles(), **_traces(), **_settings(), **_sweeps(), **_journals(),
            **_inputs(), **_tables(), **_backend()}


def _set(*settings: str) -> tuple[str, ...]:
    return tuple(part for each in settings for part in ("--set", each))


def _places() -> dict[str, Case]:
    """Where nothing can be written, asked of everything that writes."""
    cases = {}
    files = {"e.toml": toml(BASE).encode(), "t.npz": traces.packed(traces.sound()[0]),
             "p.json": json_text(WHOLE).encode(), "s.toml": toml(GRID).encode(), "there": b"old"}
    for door, *command in WRITERS:
        for number, (place, nodes, as_file, as_folder) in enumerate(PLACES):
            if (as_folder if command[0] in ("sweep", "advise") else as_file) is False:
                used = {n: content for n, content in files.items() if n in (*command, "there")}
                name = "-".join((command[0], *command[-1:], str(number)))
                cases[f"out-{name}"] = Case(door, (*command, "--out", place), used, nodes,
                                            refused=True)
    return cases


def _profiles() -> dict[str, Case]:
    """Times beyond what ticks hold, asked of everything that computes with times."""
    stage: dict[str, Any] = dict(STAGE)
    long = {**WHOLE, "stages": [stage, {**stage, "forward_s": 1e12}]}
    large = {**WHOLE, "boundary_bytes": [3e15], "bandwidth_bytes_per_s": 1e6}
    cases = {}
    for name, profile in (("forward", long), ("message", large)):
        files = {"p.json": json_text(profile).encode(), "e.toml": EXPERIMENT}
        advise = ("advise", "p.json", "--memory-limit", "1e9", "--devices", "2",
                  "--microbatches", "2")
        for door, command in (("sim", ("run", "e.toml")), ("analysis", ("steady", "e.toml")),
                              ("analysis", advise), ("sim", ("timeline", "e.toml")),
                              ("sim", ("compare", "e.toml", "--mitigations", "stash"))):
            cases[f"ticks-{name}-{command[0]}"] = Case(
                door, (*command, "--json"), files, refused=command[0] not in ("compare", "advise"))
    return cases


def _traces() -> dict[str, Case]:
    """Traces of which a column, the header or the archive holds what no run writes."""
    cases = {}
    for deed in traces.DEEDS:
        arrays = dict(traces.sound()[1])
        deed(arrays, Random(0))
        cases[f"trace-{deed.__name__}"] = Case(
            "analysis", ("report", "t.npz", "--json"), {"t.npz": traces.packed(arrays)},
            refused=deed not in traces.UNREAD)
    sound = traces.sound()[0]
    cases["trace-claim-of-gigabytes"] = Case(
        "analysis", ("report", "t.npz", "--json"), {"t.npz": traces.with_claim(sound, "extra")})
    for name, change in HEADERS.items():
        header = traces.header_of(sound)
        change(header)
        arrays = {**sound, "header": np.array(json.dumps(header))}
        for door, command in (("analysis", ("report", "t.npz", "--json")),
                              ("figures", ("explore", "t.npz", "--out", "o.html"))):
            cases[f"header-{name}-{command[0]}"] = Case(
                door, command, {"t.npz": traces.packed(arrays)}, outputs=("o.html",), refused=True)
    return cases


HEADERS: dict[str, Callable[[dict[str, Any]], Any]] = {
    "without-sizes": lambda header: header.pop("sizes"),
    "of-many-minibatches": lambda header: header["shape"].update(minibatches=10**9),
    "of-many-stages": lambda header: header["shape"].update(stages=10**9),
    "of-no-sizes": lambda header: header["sizes"].update(weight_bytes=[]),
    "of-one-version-list": lambda header: header.update(versions_held=[1])}


def _settings() -> dict[str, Case]:
    """Settings at the edge of what is allowed; refused or computed, but never with a warning."""
    asked = {
        "slow-link": (*TINY, "bandwidth_bytes_per_s=1e-300"),
        "large-message": (*TINY, "boundary_bytes=1e308", "bandwidth_bytes_per_s=1"),
        "large-activation": (*TINY, "activation_bytes=1e308"),
        "hexadecimal": (*TINY, f"seed=0x{'f' * 5000}"),
        "long-minibatches": ("stages=2", f"minibatches=0x{'f' * 5000}"),
        "far-wave": ("stages=2", "minibatches=4", "workers.count=2", "batch_size=4", "width=2",
                     "workers.combine={name='wave', distance=10000000000000000000}"),
        "long-block": ("stages=2", "minibatches=4", "workers.count=2", "batch_size=4", "width=2",
                       "workers.combine={name='block-momentum', block=10000000000000000000}"),
        "wide": ("width=16384", "layers=4096"),
        "many-workers": ("workers.count=1024", "stages=4096", "minibatches=1024"),
        "many-minibatches": ("minibatches=2147483648", "stages=1")}
    cases = {f"set-{name}": Case("sim", ("run", *_set(*settings), "--json"))
             for name, settings in asked.items()}
    cases["set-prime-batch"] = Case("sim", (
        "compare", "--systems", "gpipe", *_set("stages=2", "minibatches=3", "width=2",
                                               "batch_size=509"), "--json"))
    idle = b"# pipestale program: stages=2 minibatches=1\n0F0,1F0,1B0,0B0\n,\n"
    for door in (("run",), ("run", "--engine", "simpy"), ("timeline",)):
        cases[f"idle-device-{door[-1]}"] = Case(
            "sim", (*door, "--program", "p.txt", *_set("task=none"), "--json"), {"p.txt": idle})
    cases["copies-beyond-floats"] = Case("analysis", (
        "advise", "p.json", "--memory-limit", "1e6", "--devices", "2", "--state-copies", "1e308"),
        {"p.json": json_text(WHOLE).encode()}, refused=True)
    cases["momentum-of-almost-1"] = Case("analysis", (
        "stability", "--momentum", "0.9999999999999999", "--json"))
    return cases


def _sweeps() -> dict[str, Case]:
    """Sweep files whose draws, keys or sizes nobody can make points of: nothing is written."""
    def drawn(key: str, table: str) -> str:
        return (toml({"experiment": BASE}) +
                f"[random]\npoints = 2\n[random.keys]\n\"{key}\" = {table}\n")

    content = {
        "beyond-int64": drawn("pipeline.minibatches", "{low = 1, high = 100000000000000000000}"),
        "whole-range-of-floats": drawn("costs.forward_s", "{low = -1e308, high = 1e308}"),
        "key-and-sub-key": toml({"experiment": BASE, "grid": {
            "pipeline.mitigation": ["none"], "pipeline.mitigation.decay": [1.0]}}),
        "seeds-of-nothing": toml({"experiment": BASE, "seeds": 0, "grid": {"stages": [1]}})}
    return {f"sweep-{name}": Case("sim", ("sweep", "s.toml", "--out", "o", "--json"),
                                  {"s.toml": text.encode()}, refused=True)
            for name, text in content.items()}


def _journals() -> dict[str, Case]:
    """Journals with a line that is no record: the point is computed again."""
    content, text, rows = finished(0)
    head, *lines = text.splitlines()
    record = json.loads(lines[1])
    damaged = {"without-point": {k: v for k, v in record.items() if k != "point"},
               "without-report": {k: v for k, v in record.items() if k != "report"},
               "point-of-true": {**record, "point": True},
               "report-of-nan": {**record, "report": float("nan")},
               "nan-in-report": {**record, "report": {**record["report"],
                                                      "makespan_s": float("nan")}},
               "report-of-a-list": {**record, "report": []}}
    return {f"journal-{name}": Case(
        "sim", ("sweep", "s.toml", "--out", "o", "--json"),
        {"s.toml": content, "o/points.jsonl":
            "\n".join([head, lines[0], json.dumps(line), *lines[2:], ""]).encode()},
        outputs=("o",), rows=rows) for name, line in damaged.items()}


def _inputs() -> dict[str, Case]:
    """A pipe, a device without an end and a folder where a file is read."""
    readers = {"experiment": ("sim", "run", "in"), "program": ("sim", "run", "--program", "in"),
               "profile": ("sim", "run", "--set", "costs.profile=in"),
               "advice": ("analysis", "advise", "in", "--memory-limit", "1", "--devices", "2"),
               "sweep": ("sim", "sweep", "in"), "trace": ("analysis", "report", "in"),
               "page": ("figures", "explore", "in"),
               "picture": ("figures", "stability", "--from", "in")}
    cases = {f"in-{name}-{kind}": Case(command[0], command[1:], nodes={"in": kind}, refused=True)
             for name, command in readers.items() for kind in ("fifo", "zero", "folder")}
    content, _, _ = finished(0)
    cases["in-journal-fifo"] = Case("sim", ("sweep", "s.toml", "--out", "o"),
                                    {"s.toml": content, "o/x": b""},
                                    {"o/points.jsonl": "fifo"}, refused=True)
    cases["in-not-utf8"] = Case("sim", ("run", "\udcff.toml"), refused=True)
    cases["out-not-utf8"] = Case("sim", ("run", *_set(*TINY), "--out", "\udcff.npz"),
                                 outputs=("\udcff.npz",))
    return cases


def _tables() -> dict[str, Case]:
    """Tables that are another figure's, or have a comma too many."""
    cases = {}
    for file, name in FILES.items():
        text = (GALLERY / f"{file}.csv").read_text(encoding="utf-8")
        head, rest = text.split("\n", 1)
        lines = "\n".join([head, *(f"{line}," for line in rest.splitlines()), ""])
        other = "stability" if file == "rates" else "rates"
        if file == "rates":  # sound to the picture, but not to the table of it
            cases["figures-table"] = _redrawn(file, name, text.replace("False", "x"))
        cases[f"comma-{file}"] = _redrawn(file, name, lines)
        cases[f"other-{file}"] = _redrawn(
            file, name, (GALLERY / f"{other}.csv").read_text(encoding="utf-8"))
    return cases


def _redrawn(file: str, name: str, text: str) -> Case:
    return Case("figures", (name, "--from", f"{file}.csv", "--out", "o"),
                {f"{file}.csv": text.encode()}, refused=True)


def _backend() -> dict[str, Case]:
    """Options of the torch backend that nothing can run with."""
    asked = {"parts": ("run", "--devices", "cuda:0/300000000"),
             "one-image": ("run", "--set", "batch_size=1"),
             "threads": ("run", "--threads", "99999999999999"),
             "image-size": ("run", "--image-size", "1000000"),
             "classes": ("run", "--classes", "1000000000"),
             "noise": ("staleness", "--noise", "nan"),
             "image-sizes": ("validate", "--image-sizes", "7"),
             "mitigations": ("staleness", "--mitigations", "")}
    return {f"gpu-{name}": Case("gpu", arguments, refused=True)
            for name, arguments in asked.items()}
