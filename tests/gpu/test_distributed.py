"""Two processes on gloo: the same weights and versions, and lost ranks are named."""

import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from gpu.runtime.run import run
from sim.trace import Trace
from tests.gpu.conftest import cpu_assembly, cpu_lanes

pytestmark = pytest.mark.slow
LIMIT_S = 30
TORCHRUN = [sys.executable, "-m", "torch.distributed.run", "--nproc-per-node", "2",
            "--master-port"]
DOOR = ["-m", "gpu", "run", "--set", "batch_size=4", "--set", "seed=3"]
ENDLESS = ["--set", "minibatches=50000", "--set", "distances=false"]


def free_port():
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return str(probe.getsockname()[1])


@pytest.fixture
def start():
    """Start a command; whatever is left of it after the test is ended."""
    started = []

    def begin(command, **environment):
        process = subprocess.Popen(
            command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True,
            start_new_session=True, env={**os.environ, "OMP_NUM_THREADS": "1", **environment})
        started.append(process)
        return process

    yield begin
    for process in started:
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
            process.communicate()


@pytest.fixture
def torchrun(start):
    return lambda *options: start([*TORCHRUN, free_port(), *DOOR, *options])


@pytest.mark.parametrize("pipeline", [
    {"mitigation": "spectrain"},
    pytest.param({"schedule": "nf1b", "microbatches": 2, "mitigation": "stash"},
                 marks=pytest.mark.verify)])
def test_two_processes_equal_two_threads(pipeline, torchrun, tmp_path):
    settings = [option for key, value in {"minibatches": 6, **pipeline}.items()
                for option in ("--set", f"pipeline.{key}={value}")]
    process = torchrun(*settings, "--out", str(tmp_path / "trace.npz"))
    output, _ = process.communicate(timeout=120)
    assert process.returncode == 0, output
    ranks = Trace.load(tmp_path / "trace.npz")
    threads = run(cpu_assembly(**pipeline), cpu_lanes(2))
    for name in ("op", "stage", "index", "count", "device", "version_read", "version_applied",
                 "staleness"):
        assert np.array_equal(getattr(ranks, name), getattr(threads, name)), name
    assert ranks.header.gpu.weights_sha256 == threads.header.gpu.weights_sha256
    assert ranks.header.training == threads.header.training
    assert np.array_equal(ranks.curves["minibatch_loss"], threads.curves["minibatch_loss"])
    assert np.array_equal(ranks.weight_distance, threads.weight_distance, equal_nan=True)
    came = ~np.isnan(ranks.sent_s)
    residual = ranks.header.gpu.clock_residual_s
    assert (ranks.arrived_s[came] >= ranks.sent_s[came] - 2 * residual).all()


def ranks_under(parent):
    """Process and CPU seconds of each rank among a process's children."""
    found = {}
    for folder in Path("/proc").glob("[0-9]*"):
        try:
            stat = (folder / "stat").read_text().rsplit(")", 1)[1].split()
            if int(stat[1]) == parent:
                lines = (folder / "environ").read_text().split("\0")
                rank = next(int(e[5:]) for e in lines if e.startswith("RANK="))
                seconds = (int(stat[11]) + int(stat[12])) / os.sysconf("SC_CLK_TCK")
                found[rank] = int(folder.name), seconds
        except (OSError, StopIteration):
            continue
    return found


def under_way(parent, started_s=12.0):
    """Ranks of a run that is past its start: importing torch takes less than that."""
    until = time.monotonic() + 60
    while time.monotonic() < until:
        found = ranks_under(parent)
        if len(found) == 2 and all(seconds > started_s for _, seconds in found.values()):
            return {rank: process for rank, (process, _) in found.items()}
        time.sleep(0.1)
    raise AssertionError("the ranks did not start")


def alive(process):
    try:
        return (Path("/proc") / str(process) / "stat").read_text().rsplit(")", 1)[1][1] != "Z"
    except OSError:
        return False


@pytest.mark.verify
@pytest.mark.skipif(not Path("/proc/self/stat").exists(), reason="finds ranks through /proc")
def test_a_hanging_rank_is_named_and_ended(torchrun, tmp_path):
    process = torchrun(*ENDLESS, "--out", str(tmp_path / "trace.npz"))
    ranks = under_way(process.pid)
    os.kill(ranks[1], signal.SIGSTOP)
    output, _ = process.communicate(timeout=LIMIT_S)
    assert process.returncode != 0
    assert "[rank 0] error: rank 1 is lost: no sign of life for 10 s" in output
    assert not any(alive(rank) for rank in ranks.values())
    assert list(tmp_path.iterdir()) == []


@pytest.mark.verify
def test_a_killed_rank_is_named_by_the_survivor_under_any_launcher(start, tmp_path):
    shared = {"WORLD_SIZE": "2", "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": free_port()}
    command = [sys.executable, *DOOR, *ENDLESS, "--out", str(tmp_path / "trace.npz")]
    ranks = [start(command, RANK=str(r), LOCAL_RANK=str(r), **shared) for r in range(2)]
    assert under_way(os.getpid()).keys() == {0, 1}
    ranks[1].kill()
    output, _ = ranks[0].communicate(timeout=LIMIT_S)
    ranks[1].communicate()
    assert ranks[0].returncode == 1
    assert "[rank 0] error: rank 1 is lost" in output
    assert "Traceback" not in output
    assert list(tmp_path.iterdir()) == []


def test_a_stage_that_fails_on_one_rank_ends_all(torchrun):
    process = torchrun("--set", "learning_rate=1e30")
    output, _ = process.communicate(timeout=60)
    assert process.returncode != 0
    assert "[rank 1] error: stage 1 is no longer finite at 1F" in output


def test_ranks_and_stages_have_to_match(torchrun):
    process = torchrun("--set", "stages=3")
    output, _ = process.communicate(timeout=60)
    assert process.returncode != 0
    assert "the program needs 3 ranks, torchrun started 2" in output
