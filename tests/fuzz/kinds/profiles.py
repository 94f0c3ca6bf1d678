"""Profiles of stages: as an experiment's costs, and as what the advisor is asked about."""

from __future__ import annotations

import copy
from collections.abc import Sequence
from random import Random
from typing import Any

from tests.fuzz.case import Case
from tests.fuzz.mutate import alike, damaged, damaged_text, extreme, places, written
from tests.fuzz.text import json_text

STAGE = {"forward_s": 1.0, "backward_s": 2.0, "recompute_s": 1.0, "update_s": 0.125,
         "weight_bytes": 8, "activation_bytes": 10, "input_bytes": 1}
WHOLE = {"format": "pipestale-profile", "version": 1, "device": "d", "microbatch_size": 2,
         "stages": [STAGE, STAGE], "boundary_bytes": [4], "latency_s": 0.25,
         "bandwidth_bytes_per_s": 16.0}
HALVES = {**WHOLE, "stages": [{**STAGE, "input_backward_s": 0.5, "weight_backward_s": 1.0},
                              {**STAGE, "held_bytes": 3, "rise_bytes": {"F": 2, "B": 3},
                               "workspace_bytes": 2, "resident_bytes": 5}]}
MEASURED = {**WHOLE, "transfers": [
    {"boundary": 0, "direction": "forward", "samples": [
        {"size_bytes": size, "seconds": {"median": size / 10, "iqr": 0.0, "repeats": 3}}
        for size in (1, 8)]}]}
TOGETHER = {**WHOLE, "placement": ["cpu", "cpu"], "interpreter": ["a", "a"], "lock_share": 0.5,
            "beside": [{"stage": 0, "op": "F", "beside_stage": 1, "beside_op": "B",
                        "factor": 1.5}],
            "stages": [{**STAGE, "issue_s": {"F": 0.1, "B": 0.1}}, STAGE]}
BUSY = {**WHOLE, "placement": ["cpu", "cpu"],
        "stages": [{**STAGE, "contention_factor": 1.25}, STAGE]}
SOUND: tuple[dict[str, Any], ...] = (WHOLE, HALVES, MEASURED, TOGETHER, BUSY)
EXPERIMENT = b"""[pipeline]
stages = 2
minibatches = 3
[costs]
profile = "p.json"
[training]
task = "none"
batch_size = 2
"""


def profile(rng: Random) -> Case:
    """A profile, seldom sound, that a run, the solver or the advisor reads."""
    found = copy.deepcopy(rng.choice(SOUND))
    drawn = rng.random()
    if drawn < 0.65:
        if rng.random() < 0.5:
            _at_the_edge(found, rng)
        else:
            found = damaged(found, rng, rng.randint(1, 2))
        content = json_text(found).encode("utf-8", "surrogatepass")
    elif drawn < 0.9:
        content = damaged_text(json_text(found), rng)
    else:
        content = json_text(found).encode()
    json = ("--json",) if rng.random() < 0.7 else ()
    drawn = rng.random()
    files = {"p.json": content}
    if drawn < 0.15:
        return Case("analysis", ("advise", "p.json", *_question(rng), *json), files)
    command = ("sim", "run") if drawn < 0.5 else ("sim", "timeline") if drawn < 0.6 else \
        ("analysis", "steady")
    more = [part for each in rng.sample(SETTINGS, rng.randint(0, 2)) for part in ("--set", each)]
    return Case(command[0], (command[1], "e.toml", *more, *json), {**files, "e.toml": EXPERIMENT})


def _at_the_edge(found: dict[str, Any], rng: Random) -> None:
    """Give one or two of a profile's values the largest, the smallest or the strangest."""
    numbers = [way for way in places(found)
               if isinstance(_inside(found, way), int | float | str) and way[0] != "format"]
    for *way, key in rng.sample(numbers, rng.randint(1, 2)):
        _inside(found, way)[key] = alike(_inside(found, way)[key], rng)


def _inside(tree: Any, way: Sequence[Any]) -> Any:
    for step in way:
        tree = tree[step]
    return tree


SETTINGS = ("schedule=1f1b", "schedule=gpipe", "microbatches=2", "backward=recompute",
            "mitigation=stash", "cluster.latency_s=0.5", "dispatch=greedy", "schedule=nf1b",
            "jitter.sigma=0.5", "cluster.activation_limit_bytes=30", "stages=3")


def _question(rng: Random) -> list[str]:
    given = {"--memory-limit": "1e3", "--devices": "2", "--microbatches": "1,2",
             "--backward": "graph"}
    if rng.random() < 0.4:
        name = rng.choice([*given, "--batch-size", "--state-copies"])
        given[name] = written(extreme(rng)).replace("\x00", " ")
    return [part for each in given.items() for part in each]
