"""A process that puts cases to the doors, one at a time, in bounded memory and time.

Warnings are errors in it.  It reads a case's kind and number (or name) from each line of standard
input and answers each with a line of JSON; `Worker` is the other end, and begins a new process
where one has died or hung.
"""

from __future__ import annotations

import json
import os
import resource
import select
import shutil
import signal
import subprocess
import sys
import tempfile
import time
import warnings
from pathlib import Path
from types import TracebackType
from typing import Any

ROOT = Path(__file__).parents[2]
MEMORY = 4 * 2**30  # bytes of address space
CPU_S, WALL_S, HUNG_S = 10.0, 30.0, 30.0  # of one case; seconds later it is hung


class TooLongError(BaseException):
    """A case that took more than its time; no handler of the product's may take it for its own."""


class Worker:
    """A worker process; each `ask` puts one case to it and waits for how it ended."""

    def __init__(self) -> None:
        self._process: subprocess.Popen[bytes] | None = None
        self._room = tempfile.TemporaryDirectory(prefix="fuzz-")  # also of one that is killed

    def __enter__(self) -> Worker:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None,
                 trace: TracebackType | None) -> None:
        if self._process is not None:
            self._process.kill()
            self._process.communicate()
        self._room.cleanup()

    def ask(self, kind: str, number: int | str) -> dict[str, Any]:
        """How one case ended: its `command`, exit `code` and `fault` (None: all is well)."""
        process = self._process = self._process or self._begun()
        assert process.stdin is not None
        assert process.stdout is not None
        process.stdin.write(f"{kind} {number}\n".encode())
        process.stdin.flush()
        if select.select([process.stdout], [], [], WALL_S + HUNG_S)[0]:
            line = process.stdout.readline()
            if line:
                return json.loads(line)
            fault = f"the process died ({process.wait()})"
        else:
            process.kill()
            fault = "hangs"
        process.communicate()
        self._process = None
        return {"command": f"python -m tests.fuzz {kind} {number}", "code": None, "fault": fault}

    def _begun(self) -> subprocess.Popen[bytes]:
        alone = {name: "1" for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS")}
        environment = {**os.environ, **alone, "MPLBACKEND": "Agg", "PYTHONPATH": str(ROOT),
                       "COLUMNS": "80", "NO_COLOR": "1",
                       "TMPDIR": self._room.name,
                       "TORCHINDUCTOR_CACHE_DIR": str(Path(self._room.name, "inductor"))}
        return subprocess.Popen([sys.executable, "-m", "tests.fuzz.worker"], cwd=ROOT,
                                stdin=subprocess.PIPE, stdout=subprocess.PIPE, env=environment)


def answer(kind: str, number: int | str) -> dict[str, Any]:
    """Make one case, run it in a folder of its own, and judge how it ended."""
    from tests.fuzz.cases import case
    from tests.fuzz.doors import ended
    from tests.fuzz.judge import fault_of, state

    made = case(kind, number)
    base = Path(tempfile.mkdtemp())
    folder, temporary = base / "here", base / "temporary"
    try:
        folder.mkdir()
        temporary.mkdir()
        made.lay_out(folder)
        before = state(base)
        os.chdir(folder)
        tempfile.tempdir = str(temporary)
        try:
            ending = ended(made)
        finally:
            os.chdir(ROOT)
            tempfile.tempdir = None
        fault = fault_of(made, ending, _inside(before), _inside(state(base)))
        return {"command": str(made), "code": ending.code, "fault": fault, "said": ending.err[:400],
                "printed": ending.out[:400]}
    finally:
        shutil.rmtree(base, ignore_errors=True)


def _inside(found: dict[str, str]) -> dict[str, str]:
    """Paths as a command in its folder sees them."""
    return {name.removeprefix("here/"): told for name, told in found.items()
            if name not in ("here", "temporary")}


def _too_long(signal_number: int, frame: object) -> None:
    raise TooLongError("longer than its time")


def main() -> None:
    """Answer line by line, until there are no more."""
    replies = os.fdopen(os.dup(1), "w")
    nowhere = os.open(os.devnull, os.O_WRONLY)
    os.dup2(nowhere, 1)
    import tests.fuzz.cases
    import tests.fuzz.doors  # noqa: F401 - before memory is bounded and warnings are errors

    resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))
    signal.signal(signal.SIGPROF, _too_long)
    signal.signal(signal.SIGALRM, _too_long)
    warnings.simplefilter("error")
    warnings.simplefilter("ignore", ResourceWarning)  # raised at any time, in no case in particular
    for line in sys.stdin:
        kind, number = line.split()
        signal.setitimer(signal.ITIMER_PROF, CPU_S)
        signal.setitimer(signal.ITIMER_REAL, WALL_S)
        begun = time.process_time()
        try:
            found = answer(kind, number)
        except TooLongError:
            found = {"command": f"python -m tests.fuzz {kind} {number}", "code": None,
                     "fault": "takes too long"}
        finally:
            signal.setitimer(signal.ITIMER_PROF, 0)
            signal.setitimer(signal.ITIMER_REAL, 0)
        found["seconds"] = time.process_time() - begun
        replies.write(json.dumps(found) + "\n")
        replies.flush()


if __name__ == "__main__":
    main()
