"""Options of every command, and where a command is asked to write."""

from __future__ import annotations

from random import Random

from tests.fuzz.case import Case
from tests.fuzz.kinds.experiments import plausible
from tests.fuzz.kinds.profiles import WHOLE
from tests.fuzz.kinds.sweeps import GRID
from tests.fuzz.kinds.traces import packed, sound
from tests.fuzz.mutate import damaged, extreme, misspelt, written
from tests.fuzz.text import json_text, toml

# a command, its arguments, and for each option values of sense
COMMANDS: tuple[tuple[str, tuple[str, ...], dict[str, tuple[str, ...]]], ...] = (
    ("sim", ("run", "e.toml"), {"--engine": ("auto", "exact", "simpy"), "--json": (),
                                "--set": ("stages=2", "mitigation=stash"), "--out": ("o",)}),
    ("sim", ("timeline", "e.toml"), {
        "--minibatch": ("1", "2"), "--labels": ("time-unit", "updates"), "--from": ("0", "3"),
        "--to": ("5", "9"), "--column": ("0.5", "1"), "--json": ()}),
    ("sim", ("compare", "e.toml", "--mitigations", "stash"), {
        "--mitigations": ("none", "stash:x=1", "i-timeprest:decay=2@nf1b/2", "none@gpipe/3",
                          "nwpt:horizon=9", "none@1f1b/0", ",", "none,,stash", "none@"),
        "--seeds": ("1", "2"), "--json": (), "--target": ("0.5",)}),
    ("sim", ("list",), {"--json": ()}),
    ("analysis", ("report", "t.npz"), {"--json": ()}),
    ("analysis", ("compare", "t.npz", "t.npz"), {"--json": ()}),
    ("analysis", ("export", "t.npz", "--format", "csv", "--out", "o"), {
        "--format": ("csv", "chrome", "torch-csv", "parquet"), "--out": ("o",)}),
    ("analysis", ("steady", "e.toml"), {"--json": (), "--set": ("stages=3", "schedule=gpipe")}),
    ("analysis", ("stability", "--delay", "0"), {
        "--mitigation": ("stash", "i-timeprest", "spectrain"), "--delay": ("0", "1"),
        "--momentum": ("0", "0.9"), "--convention": ("ema", "heavy-ball"), "--horizon": ("1",),
        "--decay": ("0.5", "inf"), "--json": (), "--out": ("o",)}),
    ("analysis", ("advise", "p.json", "--memory-limit", "1e6", "--devices", "2",
                  "--microbatches", "1"), {
        "--memory-limit": ("50", "1e9"), "--devices": ("2", "3"), "--microbatches": ("2", "1,2"),
        "--batch-size": ("2", "4"), "--backward": ("graph", "both"), "--state-copies": ("0", "3"),
        "--consistent": (), "--all": (), "--json": (), "--layers": (), "--stages": (),
        "--schedules": ("1f1b", "gpipe,zbv"), "--mitigations": ("none", "stash,spectrain"),
        "--ways": ("1", "1,2"), "--bandwidth": ("1e3",), "--latency": ("0", "0.5"),
        "--ring-bandwidth": ("1e6",), "--ring-latency": ("0.1",), "--seconds": ("0", "2")}),
    ("sim", ("sweep", "s.toml", "--out", "o"), {"--workers": ("1", "2"), "--json": ()}),
    ("figures", ("explore", "t.npz", "--out", "o"), {"--out": ("o",)}),
    ("figures", ("timeline", "--from", "nowhere.csv"), {
        "--seeds": ("1",), "--jobs": ("1",), "--out": ("o",), "--page": ()}),
)
WRITERS: tuple[tuple[str, ...], ...] = (
    ("sim", "run", "e.toml"), ("sim", "sweep", "s.toml"),
    ("analysis", "export", "t.npz", "--format", "csv"),
    ("analysis", "export", "t.npz", "--format", "parquet"),
    ("analysis", "stability", "--delay", "0"), ("figures", "explore", "t.npz"),
    ("analysis", "advise", "p.json", "--memory-limit", "1", "--devices", "2", "--microbatches",
     "1", "--backward", "graph"))
FOLDERS = {"sweep", "advise"}  # what their --out names
# where to write, what is there, and whether a file and a folder can be written to it
PLACES: tuple[tuple[str, dict[str, str], bool | None, bool | None], ...] = (
    ("o", {"o": "fifo"}, False, False), ("o", {"o": "folder"}, False, True),
    ("o", {"o": "zero"}, False, False), ("o", {"o": "-> there"}, True, None),
    ("o", {"o": "-> o"}, False, False), ("", {}, False, None), (".", {}, False, True),
    ("..", {}, False, None), ("o/p", {"o": "fifo"}, False, False),
    ("o/p", {"o": "-> nowhere/deep"}, None, None), ("there", {}, True, False),
    ("there/o", {}, False, False), ("x" * 300, {}, False, False), ("o\udcff", {}, True, True),
    ("/proc/o", {}, False, False), ("new/deep/o", {}, True, True), ("o/", {}, None, True))


def option(rng: Random) -> Case:
    """A command with a few of its options, one of them damaged most of the time."""
    door, base, known = rng.choice(COMMANDS)
    given = [part for name in rng.sample(list(known), rng.randint(0, min(3, len(known))))
             for part in _with_value(name, known[name], rng)]
    if rng.random() < 0.8:
        given += _damaged(rng.choice(list(known)), known, rng)
    files = {"e.toml": toml(plausible(rng, 2)).encode(), "t.npz": packed(rng.choice(sound())),
             "p.json": json_text(WHOLE).encode(), "s.toml": toml(GRID).encode()}
    used = {name: content for name, content in files.items() if name in base}
    return Case(door, (*base, *given), used, outputs=("o", "out", "o.npz", "--json"))


def _with_value(name: str, values: tuple[str, ...], rng: Random) -> list[str]:
    return [name, rng.choice(values)] if values else [name]


def _damaged(name: str, known: dict[str, tuple[str, ...]], rng: Random) -> list[str]:
    drawn = rng.random()
    if drawn < 0.7 and name != "--out" and name != "--seeds":
        return [f"{name}={written(extreme(rng))[:3000]}".replace("\x00", " ")]
    if drawn < 0.8:
        return [misspelt(name, rng), *known[name][:1]]
    return rng.choice(([name], [name, ""], ["--", name], ["surplus"], [name, "--json", "--json"]))


def out(rng: Random) -> Case:
    """A command that is to write where it may not, or where it may by a detour."""
    door, *command = rng.choice(WRITERS)
    place, nodes, as_file, as_folder = rng.choice(PLACES)
    possible = as_folder if command[0] in FOLDERS else as_file
    files = {"e.toml": toml(damaged_seldom(rng)).encode(), "t.npz": packed(sound()[0]),
             "p.json": json_text(WHOLE).encode(), "s.toml": toml(GRID).encode(), "there": b"old"}
    used = {name: content for name, content in files.items() if name in (*command, "there")}
    outputs = ("there", "new", "nowhere", "o", "o\udcff")
    if place in ("", ".", ".."):
        outputs += ("table.csv", "table.json", "points.jsonl", *(
            f"advice.{kind}" for kind in ("csv", "json", "pdf", "png", "svg")))
    return Case(door, (*command, "--out", place), used, nodes, outputs, possible is False)


def damaged_seldom(rng: Random) -> object:
    """A small experiment, sound in most cases."""
    found = plausible(rng, 1)
    return damaged(found, rng) if rng.random() < 0.2 else found
