"""Python commands run as forks of one process that has imported the slow libraries already.

Most of the time of a short command goes into importing scikit-learn and its kin.  Nothing of this
repository is imported beforehand, so a fork differs from a process of its own in nothing else.
"""

from __future__ import annotations

import json
import os
import runpy
import subprocess
import sys
import traceback
from pathlib import Path
from typing import Any

LIBRARIES = ("numpy", "scipy.stats", "sklearn.datasets", "pydantic", "rich.progress", "rich.table",
             "click", "simpy", "matplotlib.pyplot")


class Forks:
    """The process, from its making on; `run` is like `subprocess.run` for a Python command."""

    def __init__(self, folder: Path, environment: dict[str, str]) -> None:
        self.out, self.err = folder / "stdout", folder / "stderr"
        self.parent = subprocess.Popen([sys.executable, "-m", "tests.docs.forks"], text=True,
                                       env=environment, stdin=subprocess.PIPE,
                                       stdout=subprocess.PIPE)

    def run(self, argv: list[str], folder: Path) -> tuple[int, str, str]:
        """Exit code, standard output and standard error of `python -m …` or `python -c …`."""
        task = {"argv": argv[1:], "folder": str(folder), "out": str(self.out),
                "err": str(self.err)}
        assert self.parent.stdin is not None
        assert self.parent.stdout is not None
        self.parent.stdin.write(json.dumps(task) + "\n")
        self.parent.stdin.flush()
        code = int(self.parent.stdout.readline())
        return code, self.out.read_text(encoding="utf-8"), self.err.read_text(encoding="utf-8")

    def close(self) -> None:
        assert self.parent.stdin is not None
        self.parent.stdin.close()
        self.parent.wait()


def serve() -> None:
    """A fork for each task read, its exit code written."""
    for library in LIBRARIES:
        __import__(library)
    for line in sys.stdin:
        child = os.fork()
        if not child:
            become(json.loads(line))
        sys.stdout.write(f"{os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])}\n")
        sys.stdout.flush()


def become(task: dict[str, Any]) -> None:
    """Be the command, and end with its exit code."""
    os.chdir(task["folder"])
    for number, name in ((1, task["out"]), (2, task["err"])):
        os.dup2(os.open(name, os.O_WRONLY | os.O_CREAT | os.O_TRUNC), number)
    os.dup2(os.open(os.devnull, os.O_RDONLY), 0)
    sys.path[0] = task["folder"]
    code = 0
    try:
        execute(*task["argv"])
    except SystemExit as end:
        code = end.code if isinstance(end.code, int) else int(end.code is not None)
    except BaseException:
        traceback.print_exc()
        code = 1
    sys.stdout.flush()
    sys.stderr.flush()
    os._exit(code)


def execute(how: str, what: str, *arguments: str) -> None:
    """`-m MODULE …` or `-c CODE …`."""
    sys.argv = [what if how == "-m" else how, *arguments]
    if how == "-m":
        runpy.run_module(what, run_name="__main__", alter_sys=True)
    else:
        exec(compile(what, "<document>", "exec"), {"__name__": "__main__"})


if __name__ == "__main__":
    serve()
