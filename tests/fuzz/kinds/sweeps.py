"""Sweep files: grids and random searches over keys."""

from __future__ import annotations

import copy
from random import Random
from typing import Any

from tests.fuzz.case import Case
from tests.fuzz.kinds.experiments import PLAUSIBLE, TINY
from tests.fuzz.mutate import alike, damaged, damaged_text, extreme
from tests.fuzz.text import toml

BASE = {**TINY, "training": {**TINY["training"], "task": "none"}}
GRID: dict[str, Any] = {"experiment": BASE, "grid": {
    "pipeline.stages": [1, 2], "mitigation": ["none", "stash"]}}
SEARCH: dict[str, Any] = {"experiment": BASE, "seeds": 2, "random": {
    "points": 2, "seed": 1, "keys": {
        "costs.forward_s": {"low": 0.1, "high": 10.0, "scale": "log"},
        "pipeline.minibatches": {"low": 2, "high": 4},
        "pipeline.mitigation": {"choices": ["none", {"name": "i-timeprest", "decay": 1.0}]}}}}
NESTED: dict[str, Any] = {"experiment": BASE, "grid": {
    "pipeline": {"mitigation": {"name": ["i-timeprest"], "decay": [0.0, 1.0]}}}}


def sweep(rng: Random) -> Case:
    """A sweep file, seldom sound, and its experiment in it."""
    found = copy.deepcopy(rng.choice((GRID, SEARCH, NESTED)))
    drawn = rng.random()
    if drawn < 0.2:
        _vary(found, rng)
    elif drawn < 0.7:
        found = damaged(found, rng, rng.randint(1, 2))
    content = toml(found).encode("utf-8", "surrogatepass")
    if drawn > 0.9:
        content = damaged_text(toml(found), rng)
    json = ("--json",) if rng.random() < 0.7 else ()
    return Case("sim", ("sweep", "s.toml", "--out", "o", *json), {"s.toml": content},
                outputs=("o",))


def _vary(found: dict[str, Any], rng: Random) -> None:
    """Put a key of the configuration to a sweep, or an extreme range."""
    section, key = rng.choice(list(PLAUSIBLE))
    if "grid" in found:
        value = rng.choice(PLAUSIBLE[section, key])
        found["grid"][f"{section}.{key}"] = [value, rng.choice((alike(value, rng), extreme(rng)))]
    else:
        found["random"]["keys"][f"{section}.{key}"] = {
            "low": alike(1, rng), "high": alike(1, rng), "scale": rng.choice(("linear", "log"))}
