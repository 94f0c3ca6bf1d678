"""Experiments: their TOML files and `--set` settings, at every door that takes one."""

from __future__ import annotations

import copy
from random import Random
from typing import Any

from sim.experiment.options import Experiment
from sim.mitigations import MITIGATIONS
from sim.numerics.optimizers import OPTIMIZERS
from sim.numerics.tasks import TASKS
from sim.schedules import SCHEDULES
from sim.workers import COMBINES
from tests.fuzz.case import Case
from tests.fuzz.mutate import alike, damaged, damaged_text, extreme, misspelt
from tests.fuzz.text import inline, toml

TINY: dict[str, dict[str, Any]] = {"pipeline": {"stages": 2, "minibatches": 3},
                                   "training": {"batch_size": 4, "width": 2}}
SECTIONS = {name: sorted(field.annotation.model_fields)
            for name, field in Experiment.model_fields.items()}
PLAUSIBLE: dict[tuple[str, str], tuple[Any, ...]] = {
    ("pipeline", "schedule"): (*SCHEDULES.names(), "file"),
    ("pipeline", "stages"): (1, 2, 3, 4), ("pipeline", "minibatches"): (1, 2, 4, 8),
    ("pipeline", "microbatches"): (1, 2, 4), ("pipeline", "chunks"): (1, 2),
    ("pipeline", "in_flight"): (1, 2, 5), ("pipeline", "backward"): ("graph", "recompute"),
    ("pipeline", "dispatch"): ("static", "greedy"),
    ("pipeline", "mitigation"): (*MITIGATIONS.names(), {"name": "i-timeprest", "decay": 2.0},
                                 {"name": "spectrain", "horizon": "update"}),
    ("workers", "count"): (1, 2, 3), ("workers", "slowdown"): (1.0, 2.0, [1.0, 3.0]),
    ("workers", "combine"): (*COMBINES.names(), {"name": "wave", "distance": 1},
                             {"name": "block-momentum", "block": 2, "momentum": 0.5}),
    ("workers", "overlap"): (True, False), ("workers", "copies"): ("all-reduce", "apart"),
    ("pipeline", "ranks"): (1, 2, 4), ("pipeline", "replicas"): ([2, 1], [1, 2, 1], [2]),
    ("pipeline", "warmup"): (1, 3), ("pipeline", "round_size"): (1, 2, 4),
    ("pipeline", "splits"): (1, 2), ("pipeline", "last_microbatches"): (1, 2),
    ("workers", "sync_latency_s"): (0.0, 0.5), ("workers", "sync_bandwidth_bytes_per_s"): (100.0,),
    ("costs", "forward_s"): (0.1, 1, [1, 2], [0.5, 0.25, 1]), ("costs", "backward_s"): (2, [1, 3]),
    ("costs", "update_s"): (0.0, 0.1), ("costs", "recompute_s"): (0.5, [1, 2]),
    ("costs", "input_backward_s"): (0.5, [1, 2]), ("costs", "weight_backward_s"): (0.0, [1, 2, 3]),
    ("costs", "overlapped_s"): (1.5, [1, 2]), ("costs", "device_factor"): (2.0, [1.0, 3.0]),
    ("costs", "microbatch_scale"): ([2.0], [1.0, 4.0], [1.0, 0.5, 3.0]),
    ("costs", "jitter"): ({"sigma": 0.2},),
    ("costs", "stragglers"): ([{"stage": 0, "from_s": 1.0, "to_s": 3.0, "factor": 2.0}],),
    ("costs", "profile"): ("p.json", "nowhere.json", ""),
    ("cluster", "latency_s"): (0.0, 0.5, [0.5], [0.0, 0.25]),
    ("cluster", "bandwidth_bytes_per_s"): (10.0, 1e9, [10.0], [1.0, 1e9]),
    ("cluster", "receives"): ("posted", "holding", "in-order"),
    ("cluster", "sends"): ("buffered", "rendezvous"),
    ("cluster", "tied"): ([{"stages": [0, 1], "size_bytes": 8.0}], [{"stages": [0, 2]}]),
    ("cluster", "latency"): ("pipelined", "held"),
    ("cluster", "boundary_bytes"): (0, 8, [4]), ("cluster", "activation_bytes"): (4, [4, 8]),
    ("cluster", "activation_limit_bytes"): (8.0, 1e3),
    ("training", "task"): (*TASKS.names(), "none"), ("training", "learning_rate"): (0.1, 1e-3),
    ("training", "rate_schedule"): ({"name": "step", "every": 2}, {"name": "cosine", "warmup": 2}),
    ("training", "momentum"): (0.0, 0.9), ("training", "convention"): ("ema", "heavy-ball"),
    ("training", "optimizer"): (*OPTIMIZERS.names(), {"name": "adam", "beta2": 0.9}),
    ("training", "batch_size"): (2, 4, 8), ("training", "width"): (1, 3),
    ("training", "layers"): (2, 4, 6), ("training", "curvatures"): ([1.0, 10.0],),
    ("training", "seed"): (0, 7), ("training", "distances"): (True, False),
    ("training", "evaluate_every"): (0, 2),
    ("tensor", "ways"): (1, 2, [1, 2], [2, 2, 4]), ("tensor", "all_reduce_bytes"): (8.0, [1, 2]),
    ("tensor", "forward_all_reduces"): (0.0, 2, [1, 3]), ("tensor", "ring_latency_s"): (0.25,),
    ("tensor", "backward_all_reduces"): (1.0, [1, 0]), ("tensor", "split_share"): (0.0, 0.5),
    ("tensor", "ring_bandwidth_bytes_per_s"): (100.0,), ("tensor", "sequence_parallel"): (True,),
    ("tensor", "transformer"): ({"heads": 4, "sequence": 8, "hidden": 16},)}


def plausible(rng: Random, most: int = 5) -> dict[str, Any]:
    """A small experiment with a few keys set, many of which go together."""
    document = copy.deepcopy(TINY)
    keys = [key for key in PLAUSIBLE if key[1] in SECTIONS.get(key[0], ())]
    for section, key in rng.sample(keys, rng.randint(0, most)):
        document.setdefault(section, {})[key] = copy.deepcopy(rng.choice(PLAUSIBLE[section, key]))
    return document


def anything(rng: Random) -> dict[str, Any]:
    """An experiment one to three of whose keys have a value of no sense, or at its edge."""
    document = plausible(rng)
    for _ in range(rng.randint(1, 3)):
        if rng.random() < 0.7:
            section, key = _key(rng)
            document.setdefault(section, {})[key] = _value(section, key, rng)
        else:
            document = damaged(document, rng)
            document = document if isinstance(document, dict) else {}
        if not all(isinstance(table, dict) for table in document.values()):
            break
    return document


def _key(rng: Random) -> tuple[str, str]:
    section = rng.choice(list(SECTIONS))
    return section, rng.choice(SECTIONS[section])


def _value(section: str, key: str, rng: Random) -> Any:
    """A value for a key: two times of three of the kind it takes, at the edge or beyond."""
    known = PLAUSIBLE.get((section, key))
    return alike(rng.choice(known), rng) if known and rng.random() < 0.67 else extreme(rng)


def experiment(rng: Random) -> Case:
    """An experiment file, sound in one of eight, else damaged as a tree or as text."""
    drawn = rng.random()
    if drawn < 0.12:
        content = toml(plausible(rng)).encode()
    elif drawn < 0.7:
        content = toml(anything(rng)).encode("utf-8", "surrogatepass")
    else:
        content = damaged_text(toml(plausible(rng)), rng)
    arguments, outputs = door_of(rng)
    door, command, *more = arguments
    return Case(door, (command, "e.toml", *more), {"e.toml": content}, outputs=outputs)


def setting(rng: Random) -> Case:
    """Settings on the command line, a few of them out of the ordinary."""
    settings = [f"{section}.{key}={inline(value)}"
                for section, table in plausible(rng).items() for key, value in table.items()]
    for _ in range(rng.randint(1, 2)):
        section, key = _key(rng)
        path = f"{section}.{key}"
        name = path if rng.random() < 0.8 else rng.choice(
            (key, misspelt(key, rng), f"{path}.x", section, ""))
        settings.append(f"{name}={inline(_value(section, key, rng))}"
                        if rng.random() < 0.95 else name)
    arguments, outputs = door_of(rng)
    door, command, *more = arguments
    given = [part for each in settings for part in ("--set", each.replace("\x00", " "))]
    return Case(door, (command, *given, *more), outputs=outputs)


def door_of(rng: Random) -> tuple[list[str], tuple[str, ...]]:
    """A door and command that takes an experiment, with some of its options, and its outputs."""
    json = ["--json"] if rng.random() < 0.7 else []
    drawn = rng.random()
    if drawn < 0.45:
        out = ["--out", "t.npz"] if rng.random() < 0.3 else []
        engine = ["--engine", rng.choice(("auto", "simpy", "exact"))] if rng.random() < 0.3 else []
        return ["sim", "run", *engine, *out, *json], ("t.npz",) if out else ()
    if drawn < 0.65:
        more = rng.choice(([], ["--minibatch", "2"], ["--labels", "updates"]))
        return ["sim", "timeline", *more, *json], ()
    if drawn < 0.85:
        return ["analysis", "steady", *json], ()
    if drawn < 0.88:
        system = rng.choice(("gpipe", "pipedream", "spectrain", "bmuf", "data-parallel", "hetpipe"))
        return ["sim", "compare", "--systems", system, *json], ()
    names = rng.choice(("none", "stash,none", "spectrain@gpipe/2", "i-timeprest:decay=2@nf1b/2"))
    seeds = rng.choice((["--seeds", "2"], []))
    return ["sim", "compare", "--mitigations", names, *seeds, *json], ()
