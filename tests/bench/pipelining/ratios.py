"""The comparison started from the bench, two processes on CPUs, and its ratios."""

from __future__ import annotations

import json
import os
import socket
import subprocess
import sys
from collections.abc import Sequence
from dataclasses import dataclass
from importlib.util import find_spec
from pathlib import Path
from tempfile import TemporaryDirectory

from tests.bench.measure import Ratio

NAME, AIM = "runtime_over_torch_pipelining", 1.0
MOST_S = 300.0
ROOT = Path(__file__).parents[3]


@dataclass(frozen=True)
class Seconds:
    """Wall time of every timed step of a case, the slowest rank's, ours and PyTorch's."""

    name: str
    ours: list[float]
    theirs: list[float]


def ratios(found: Sequence[Seconds]) -> list[Ratio]:
    """The worst of all cases, under the bare name, and then each."""
    each = [Ratio(f"{NAME}_{case.name}", case.ours, case.theirs, "s", AIM, False)
            for case in found]
    worst = max(each, key=lambda ratio: ratio.value)
    return [Ratio(NAME, worst.ours, worst.theirs, "s", AIM, False), *each]


def pipelining() -> list[Ratio]:
    """Wall time of a step of ours over PyTorch's, two gloo processes on CPUs.  [] without torch."""
    if find_spec("torch") is None:
        return []
    with TemporaryDirectory() as folder:
        path = Path(folder, "seconds.json")
        subprocess.run([*torchrun(), "-m", "tests.bench.pipelining", "--out", str(path)],
                       check=True, timeout=MOST_S, stdout=subprocess.DEVNULL, cwd=ROOT,
                       env={**os.environ, "OMP_NUM_THREADS": "1"})
        return ratios([Seconds(**each) for each in json.loads(path.read_text(encoding="utf-8"))])


def torchrun(ranks: int = 2) -> list[str]:
    """The command that starts so many ranks on this host, at a port that is free now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    return [sys.executable, "-m", "torch.distributed.run", "--nproc-per-node", str(ranks),
            "--master-port", str(port)]
