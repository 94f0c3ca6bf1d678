"""Sweeps for tests: small files, and a sweep's door in a process of its own that can be killed."""

from __future__ import annotations

import json
import random
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

TRAINED = """
[experiment.pipeline]
minibatches = 12
[experiment.training]
width = 6
batch_size = 8
"""
MITIGATIONS = '["none", "stash", "spectrain", "timeprest", { name = "i-timeprest", decay = inf }]'


def grid(seeds: int, rates: int, momenta: int, stages: int = 4) -> str:
    """A file of stages x 5 mitigations x rates x momenta x seeds points; a fifth is refused."""
    return TRAINED + f"""
[grid]
"pipeline.stages" = {list(range(1, stages + 1))}
"pipeline.mitigation" = {MITIGATIONS}
"training.learning_rate" = {[0.01 * (1 + i) for i in range(rates)]}
"training.momentum" = {[0.5 + 0.1 * i for i in range(momenta)]}
"training.seed" = {list(range(seeds))}
"""


def start(path: Path, out: Path, *options: str) -> subprocess.Popen[bytes]:
    """The door, in a process of its own; what it says goes into a file beside `out`."""
    with out.with_suffix(".said").open("wb") as said:
        return subprocess.Popen([sys.executable, "-m", "sim", "sweep", str(path), "--out",
                                 str(out), *options], stdout=said, stderr=said)


def finish(path: Path, out: Path, *options: str) -> None:
    code = start(path, out, *options).wait()
    assert code == 0, out.with_suffix(".said").read_text()


def journal(out: Path) -> bytes:
    path = out / "points.jsonl"
    return path.read_bytes() if path.exists() else b""


def kill_at_random(path: Path, out: Path, rng: random.Random, *options: str) -> int:
    """Start the sweep and SIGKILL it: early, or once some points more are there.

    Gives the points then in its journal.
    """
    before = journal(out).count(b"\n")
    process = start(path, out, *options)
    if rng.random() < 0.3:
        time.sleep(rng.uniform(0.0, 2.0))
    else:
        target = before + rng.randint(1, 60)
        while journal(out).count(b"\n") < target and process.poll() is None:
            time.sleep(0.02)
        time.sleep(rng.uniform(0.0, 0.2))
    process.kill()  # nothing where it had finished by then
    process.wait()
    return max(0, journal(out).count(b"\n") - 1)


def records(out: Path) -> list[dict[str, Any]]:
    """Every record of the journal, in the order they were written."""
    _, *lines = journal(out).splitlines()
    return [json.loads(line) for line in lines]
