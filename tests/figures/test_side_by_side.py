"""Pictures made in several processes: none of them lives longer than the one that asked."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

SLEEPING = """
import os, time
from figures.pieces import Piece, collect

def rows(folder, name):
    open(os.path.join(folder, str(os.getpid())), "w").close()
    time.sleep(600)

if __name__ == "__main__":
    import sys
    collect([Piece({}, rows, (sys.argv[1], n)) for n in range(2)], jobs=2)
"""


def alive(number: int) -> bool:
    try:
        return Path(f"/proc/{number}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def waited(condition, seconds: float) -> bool:
    end = time.monotonic() + seconds
    while not condition() and time.monotonic() < end:
        time.sleep(0.1)
    return bool(condition())


@pytest.mark.verify
@pytest.mark.skipif(not os.path.isdir("/proc/self"), reason="processes are looked for in /proc")
@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL])
def test_processes_end_with_the_one_that_asked(tmp_path, number):
    script, folder = tmp_path / "sleeping.py", tmp_path / "pids"
    script.write_text(SLEEPING)
    folder.mkdir()
    with subprocess.Popen([sys.executable, script, folder],
                          env={**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}) as asking:
        try:
            assert waited(lambda: len(os.listdir(folder)) == 2, 60)
            workers = [int(name) for name in os.listdir(folder)]
            assert all(map(alive, workers))
        finally:
            asking.send_signal(number)
    assert waited(lambda: not any(map(alive, workers)), 10)
