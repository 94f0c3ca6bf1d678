"""What profilers wrote, the mapping that says what its ranges are, and layouts of layers."""

from __future__ import annotations

import copy
import gzip
import json
from functools import cache
from random import Random
from typing import Any

import sim
from analysis.exports import export
from sim.op import Op
from tests.fuzz.case import Case
from tests.fuzz.mutate import damaged, damaged_bytes, damaged_text
from tests.fuzz.text import json_text, toml

MAPPING: dict[str, Any] = {"microbatches": 2, "device": "process", "waits": "inside", "ranges": [
    {"name": r"(?P<stage>\d+)(?P<op>[FBIWU])(?P<microbatch>\d+)", "category": "user_annotation"},
    {"name": "step (?P<minibatch>.)", "op": "U", "stage": 0}]}
LAYOUTS = ("Et*3|(tt|)*2,m|L", "E|t|t|tL", "t*2|((t|)*2t)*2", "E||t,L")
LAYER = {"forward_s": 1.0, "backward_s": 2.0, "weight_bytes": 8.0, "output_bytes": 4.0}
NODE = ("node{0} -- Linear(a) -- forward_compute_time=1.000, backward_compute_time=2.000, "
        "activation_size={1}, parameter_size=100.000")
GRAPH = "\n".join([*(NODE.format(n, size) for n, size in ((1, "0.0"), (2, "8.0"), (3, "[1; 2]"))),
                   "\tnode1 -- node2", "\tnode1 -- node3", "\tnode2 -- node3", ""])


@cache
def _sound() -> tuple[dict[str, Any], ...]:
    """A profiler's trace, and our own export, of one small run."""
    trace = sim.run(schedule="1f1b", stages=2, minibatches=2, microbatches=2, task="none")
    events = [{"ph": "X", "cat": "user_annotation", "pid": int(trace.device[row]), "tid": 1,
               "name": f"{trace.stage[row]}{Op(trace.op[row]).name}{trace.index[row] % 2}",
               "ts": trace.start_s[row] * 1e6,
               "dur": (trace.end_s[row] - trace.start_s[row]) * 1e6} for row in range(len(trace))]
    return ({"traceEvents": events, "baseTimeNanoseconds": 10**18,
             "distributedInfo": {"rank": 0}}, json.loads(export(trace, "chrome")))


def chrome(rng: Random) -> Case:
    """A Chrome trace, seldom sound, and a mapping, mostly so, at every door that reads one."""
    document = copy.deepcopy(rng.choice(_sound()))
    mapping = MAPPING if rng.random() < 0.7 else damaged(copy.deepcopy(MAPPING), rng)
    drawn = rng.random()
    if drawn < 0.3 and "otherData" in document:
        header = damaged(json.loads(document["otherData"]["header"]), rng)
        document["otherData"]["header"] = json.dumps(header)
    elif drawn < 0.75:
        document = damaged(document, rng, rng.randint(1, 3))
    content = json_text(document).encode("utf-8", "surrogatepass")
    if 0.75 <= drawn < 0.9:
        content = damaged_text(json_text(document), rng)
    name = rng.choice(("r.json", "r.json.gz", "ranks/r.json"))
    if name.endswith(".gz"):
        content = gzip.compress(content, mtime=0)
        content = damaged_bytes(content, rng) if drawn > 0.9 else content
    files = {name: content, "m.toml": toml(mapping).encode("utf-8", "surrogatepass")}
    by = ("--mapping", "m.toml") if rng.random() < 0.6 else ()
    path = name.partition("/")[0]
    door = rng.random()
    if door < 0.4:
        return Case("analysis", ("report", path, *by, "--json"), files)
    if door < 0.6:
        return Case("analysis", ("compare", path, path, *by), files)
    return Case("analysis", ("measured", path, *by, "--out", "o.npz", "--profile", "o.json"), files,
                outputs=("o.npz", "o.json"))


def layout(rng: Random) -> Case:
    """A layout, its layers by letter, or a file of them, of which seldom all is sound."""
    text = rng.choice(LAYOUTS)
    if rng.random() < 0.6:
        text = damaged_text(text, rng).decode("utf-8", "replace")
    experiment: dict[str, Any] = {
        "pipeline": {"layout": text, "schedule": rng.choice(("gpipe", "1f1b", "round-robin")),
                     "minibatches": 2}, "costs": {}, "training": {"task": "none"}}
    files = {}
    if rng.random() < 0.5:
        experiment["costs"]["per_layer"] = {letter: LAYER for letter in set(text) & set("EtmL")}
    else:
        experiment["costs"]["profile"] = "graph.txt"
        experiment["pipeline"]["layout"] = rng.choice(("Et|L", "t|t|t", text))
        files["graph.txt"] = GRAPH.encode() if rng.random() < 0.4 else damaged_text(GRAPH, rng)
    if rng.random() < 0.3:
        experiment = damaged(experiment, rng)
    files["e.toml"] = toml(experiment).encode("utf-8", "surrogatepass")
    command = rng.choice((("sim", ("run", "e.toml", "--json")), ("analysis", ("steady", "e.toml"))))
    return Case(*command, files)
