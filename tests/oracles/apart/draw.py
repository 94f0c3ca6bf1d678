"""Random experiments, by seed: any schedule, mitigation, cost, link, task, reading, workers."""

from __future__ import annotations

import math
from random import Random
from typing import Any

from tests.oracles.apart.case import Case
from tests.oracles.apart.memory import most_activations
from tests.oracles.apart.orders import streams
from tests.oracles.apart.shuffled import Order, shuffled

SCHEDULES = ["sequential", "gpipe", "split", "1f1b", "eager-1f1b", "interleaved", "looped-bfs",
             "round-robin", "paci", "nf1b"]
MITIGATIONS = ["none", "stash", "vertical-sync", "2bw", "spectrain", "spectrain-stashed", "nwpt",
               "timeprest", "v-timeprest", "i-timeprest", "delay-adaptive"]
MOST = 14  # mini-batches of a worker


def draw(seed: int) -> tuple[dict[str, Any], Order | None]:
    """The bare keys of one experiment, and its order where that is a file's; keys left out keep
    their defaults."""
    r = Random(seed)
    keys, order = _file(r) if r.random() < 0.25 else (_pipeline(r), None)
    keys |= _training(r, keys)
    if order is None and r.random() < 0.3:
        keys |= _workers(r, keys)
    keys |= _costs(r, keys) | _links(r, keys)
    if r.random() < 0.15:
        keys["profile"] = _profile(r, keys)
    if r.random() < 0.2:
        keys |= _limit(r, keys, order)
    if not {"count", "activation_limit_bytes"} & set(keys) and order is None and (
            r.random() < 0.1):
        keys["dispatch"] = "greedy"
    return keys | _unlike(r, keys), order


def _file(r: Random) -> tuple[dict[str, Any], Order]:
    devices, chunks, n = r.randint(1, 4), r.choice([1, 1, 2]), r.choice([1, 1, 2, 3])
    keys: dict[str, Any] = {
        "schedule": "file", "chunks": chunks, "stages": devices * chunks,
        "minibatches": r.randint(1, 20 // n), "microbatches": n,
        "backward": r.choice(["graph", "recompute"])}
    order = shuffled(r, devices, chunks, keys["minibatches"], n, r.random() < 0.4)
    return keys | {"mitigation": _mitigation(r, keys)}, order


def _pipeline(r: Random) -> dict[str, Any]:
    schedule = r.choice([*SCHEDULES, "round-robin", "round-robin", "nf1b"])
    chunks = r.choice([1, 2, 3]) if schedule in ("interleaved", "looped-bfs") else 1
    keys: dict[str, Any] = {
        "schedule": schedule, "chunks": chunks, "stages": chunks * r.randint(1, 6 // chunks),
        "minibatches": r.randint(1, MOST), "microbatches": r.choice([1, 1, 2, 3, 4, 5]),
        "backward": r.choice(["graph", "recompute"])}
    devices, n = keys["stages"] // chunks, keys["microbatches"]
    if schedule == "interleaved" and n % max(1, n // devices):
        keys["microbatches"] = devices * r.randint(1, 2)
    if schedule == "round-robin" and r.random() < 0.2:
        keys["in_flight"] = r.randint(1, keys["stages"] + 1)
    return keys | {"mitigation": _mitigation(r, keys)}


def _mitigation(r: Random, keys: dict[str, Any]) -> dict[str, Any]:
    possible = [name for name in MITIGATIONS if _possible(name, keys)]
    name = r.choice([*possible, *({"timeprest", "v-timeprest"} & set(possible))])
    table: dict[str, Any] = {"name": name}
    if name in ("spectrain", "spectrain-stashed") and r.random() < 0.6:
        units = keys["schedule"] == "round-robin" and keys["microbatches"] == 1 and (
            "in_flight" not in keys)
        table["horizon"] = r.choice(["update", "time-unit"] if units else ["update"])
    if name == "i-timeprest" and r.random() < 0.8:
        table["decay"] = r.choice([0.0, 0.3, 2.0, 50.0, math.inf])
        table["weighting"] = r.choice(["exponential", "exponential", "reciprocal"])
    if name == "delay-adaptive" and r.random() < 0.8:
        table |= {"concurrency": r.randint(1, 3)} | r.choice([
            {}, {"smoothness": r.choice([0.5, 3.0, math.inf])}])
    return table


def _possible(name: str, keys: dict[str, Any]) -> bool:
    schedule, stages, n = keys["schedule"], keys["stages"], keys["microbatches"]
    return {"timeprest": schedule == "nf1b",
            "v-timeprest": schedule == "nf1b" and stages <= n + 1,
            "2bw": schedule != "nf1b" and n >= stages}.get(name, True)


def _training(r: Random, keys: dict[str, Any]) -> dict[str, Any]:
    found: dict[str, Any] = {
        "task": r.choice(["digits-mlp"] * 4 + ["quadratic"] * 2 + ["none"]),
        "seed": r.randint(0, 99),
        "momentum": r.choice([0.0, 0.5, 0.9]), "convention": r.choice(["ema", "heavy-ball"]),
        "learning_rate": r.choice([0.003, 0.02, 0.05])}
    if r.random() < 0.3:
        found |= {"optimizer": {"name": "adam", **r.choice([{}, {"second": 0.9, "epsilon": 1e-3}])},
                  "learning_rate": r.choice([0.001, 0.01])}
    if r.random() < 0.4:
        found["rate_schedule"] = r.choice([
            {"name": "cosine"}, {"name": "cosine", "warmup": r.randint(1, 5)},
            {"name": "step", "every": r.randint(1, 6), "factor": 0.3, "warmup": r.randint(0, 3)},
            {"name": "constant", "warmup": 4}])
    if r.random() < 0.4:
        found["evaluate_every"] = r.randint(1, 6)
    if found["task"] == "quadratic":
        found["curvatures"] = [r.choice([0.1, 1.0, 5.0]) for _ in range(r.randint(1, 3))]
    if found["task"] != "digits-mlp":
        return found
    found |= {"width": r.randint(3, 9), "batch_size": keys["microbatches"] * r.randint(1, 4)}
    if r.random() < 0.4:
        found["layers"] = keys["stages"] + r.randint(0, 3)
    return found


def _workers(r: Random, keys: dict[str, Any]) -> dict[str, Any]:
    count = r.randint(1, 3)
    rules: list[dict[str, Any]] = [
        {"name": "all-reduce"}, {"name": "wave", "distance": r.randint(0, 2),
                                 "combine": r.choice(["mean", "sum"])},
        {"name": "block-momentum", "block": r.randint(1, 5), "momentum": r.choice([0.0, 0.4]),
         "rate": r.choice([1.0, 0.7]), "reset": r.random() < 0.7, "nesterov": r.random() < 0.4}]
    found: dict[str, Any] = {"count": count, "minibatches": count * keys["minibatches"],
                             "combine": r.choice([rules[1], *rules] if keys["schedule"] in (
                                 "round-robin", "paci", "nf1b") else rules)}
    if r.random() < 0.5:
        found["slowdown"] = [r.choice([1.0, 1.5, 0.8]) for _ in range(count)]
    if r.random() < 0.5:
        found |= {"sync_latency_s": r.choice([0.0, 0.4]), "sync_bandwidth_bytes_per_s": 3000.0}
    return found


def _costs(r: Random, keys: dict[str, Any]) -> dict[str, Any]:
    stages = keys["stages"]

    def seconds(least: float = 0.05) -> Any:
        kind = r.randrange(3)
        if kind == 0:
            return r.choice([1.0, 2.0, 0.5])
        return [r.choice([1.0, 2.0]) if kind == 1 else r.uniform(least, 3.0)
                for _ in range(stages)]

    found = {"forward_s": seconds(), "backward_s": seconds(),
             "update_s": r.choice([0.0, 0.0, 0.1, seconds()])}
    if r.random() < 0.3:
        found["recompute_s"] = seconds()
    if r.random() < 0.2:
        found["jitter"] = {"sigma": r.uniform(0.01, 0.8)}
    if r.random() < 0.25:
        found["stragglers"] = [
            {"stage": r.randrange(stages), "factor": r.choice([3.0, 0.5, 1.3]),
             "from_s": (begins := r.choice([r.uniform(0, 10), r.randint(0, 8)])),
             "to_s": begins + r.choice([r.uniform(0.5, 15), r.randint(1, 9)])}
            for _ in range(r.randint(1, 3))]
    if r.random() < 0.15:
        found["trends"] = [
            {"stage": r.randrange(stages), "factor": r.choice([3.0, 0.5, 1.3]),
             "from_s": (begins := r.choice([r.uniform(0, 10), r.randint(0, 8)])),
             "to_s": begins + r.choice([0, r.uniform(0.5, 15), r.randint(1, 9)])}
            for _ in range(r.randint(1, 2))]
    return found


def _profile(r: Random, keys: dict[str, Any]) -> dict[str, Any]:
    """Measured stages, some of whose optional numbers are there."""
    def maybe(name: str, value: float) -> dict[str, float]:
        return {name: value} if r.random() < 0.5 else {}

    stages = [{"forward_s": r.uniform(0.1, 2), "backward_s": r.uniform(0.1, 3),
               **maybe("update_s", 0.25), **maybe("recompute_s", r.uniform(0.1, 2)),
               **maybe("input_backward_s", 0.7), **maybe("weight_backward_s", 0.4),
               **maybe("weight_bytes", 1000.0), **maybe("activation_bytes", 80.0),
               **maybe("input_bytes", 10.0)} for _ in range(keys["stages"])]
    found: dict[str, Any] = {"format": "pipestale-profile", "version": 1, "stages": stages}
    found |= maybe("latency_s", 0.3) | maybe("bandwidth_bytes_per_s", 300.0)
    if r.random() < 0.5:
        found["boundary_bytes"] = [r.choice([50.0, 200.0]) for _ in stages[1:]]
    found["transfers"] = [
        {"boundary": k, "direction": way, "samples": [
            {"size_bytes": size, "seconds": {"median": r.uniform(0.1, 1), "iqr": 0.0, "repeats": 9}}
            for size in r.sample([10.0, 30.0, 60.0, 300.0], r.randint(1, 3))]}
        for k in range(len(stages) - 1) for way in ("forward", "backward") if r.random() < 0.3]
    return found


def _links(r: Random, keys: dict[str, Any]) -> dict[str, Any]:
    stages, found = keys["stages"], {}
    if r.random() < 0.6:
        found |= {"latency_s": r.choice([0.0, 0.3, 1.7]),
                  "latency": r.choice(["pipelined", "held"])}
    if r.random() < 0.5:
        found["bandwidth_bytes_per_s"] = r.choice([100.0, 777.7, 1e4])
    if r.random() < 0.4:
        found["boundary_bytes"] = r.choice([0.0, 250.0,
                                            [r.choice([0.0, 90.0]) for _ in range(stages - 1)]])
    if r.random() < 0.3:
        found["activation_bytes"] = r.choice([100.0, [r.randint(0, 9) * 10.0
                                                      for _ in range(stages)]])
    return found


def _unlike(r: Random, keys: dict[str, Any]) -> dict[str, Any]:
    """What makes halves, micro-batches, devices or boundaries unlike each other."""
    stages, found = keys["stages"], {}
    devices = stages // keys.get("chunks", 1)
    for half in ("input_backward_s", "weight_backward_s"):
        if r.random() < 0.3:
            found[half] = r.choice([0.0, 1.5, [r.uniform(0.1, 2) for _ in range(stages)]])
    if r.random() < 0.25:
        found["microbatch_scale"] = [r.choice([1.0, 4.0, 0.3, 1.7])
                                     for _ in range(r.randint(1, keys["microbatches"]))]
    if r.random() < 0.25:
        found["device_factor"] = r.choice([1.5, [r.choice([1.0, 2.0, 0.7])
                                                 for _ in range(devices)]])
    if r.random() < 0.2:
        found["latency_s"] = [r.choice([0.0, 0.25, 1.1]) for _ in range(stages - 1)]
    if r.random() < 0.2:
        found["bandwidth_bytes_per_s"] = [r.choice([55.5, 300.0, 1e5]) for _ in range(stages - 1)]
    return found


def _limit(r: Random, keys: dict[str, Any], order: Order | None) -> dict[str, Any]:
    """Room for activations: just enough, almost, or half of what is needed."""
    case = Case(**keys, given=order)
    needed = most_activations(case, streams(case))
    return {"activation_limit_bytes": needed * r.choice([1, 1, 1.5, 0.999, 0.5])} if needed else {}
