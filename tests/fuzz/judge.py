"""What is wrong with how a command ended: in its exit, its output, or what it left."""

from __future__ import annotations

import hashlib
import json
import os
import stat
import traceback
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, NamedTuple

from tests.fuzz.case import Case

MOST_SAID = 100_000  # characters of a refusal
AT_MOST_1 = {"bubble_fraction", "comm_wait_fraction", "inconsistent_fraction", "accuracy"}
NOT_BELOW_0 = {*AT_MOST_1, "makespan_s", "throughput_minibatches_per_s", "period_s",
               "steady_throughput_minibatches_per_s", "peak_bytes", "peak_device_bytes",
               "stash_bytes", "activation_bytes"}
State = Mapping[str, str]


class Ending(NamedTuple):
    """How a command ended: exit code, both outputs, and what escaped it where something did."""

    code: int
    out: str
    err: str
    escaped: BaseException | None = None


def fault_of(case: Case, ending: Ending, before: State, after: State) -> str | None:
    """What is wrong with the ending of a case, in a line or a few; None where it is well."""
    return next(_faults(case, ending, before, after), None)


def _faults(case: Case, ending: Ending, before: State, after: State) -> Iterator[str]:
    if ending.escaped is not None:
        yield _where(ending.escaped)
    if ending.code not in (0, 2):
        yield f"exit {ending.code}"
    if "Traceback" in ending.err or "Traceback" in ending.out:
        yield "a traceback is printed"
    changed = sorted(name for name in {*before, *after} if before.get(name) != after.get(name))
    if ending.code == 2:
        yield from _refusal(ending, changed)
    else:
        yield from _success(case, ending, changed)


def _refusal(ending: Ending, changed: list[str]) -> Iterator[str]:
    if not ending.err.strip():
        yield "refused without a word"
    if len(ending.err) > MOST_SAID:
        yield f"a refusal of {len(ending.err)} characters"
    if ending.out.strip():
        yield f"refused, after printing {ending.out[:80]!r}"
    if changed:
        yield f"refused, and leaves or changes {changed}"


def _success(case: Case, ending: Ending, changed: list[str]) -> Iterator[str]:
    if case.refused:
        yield f"accepted, with {ending.out[:200]!r}"
    own = [name for name in changed if not any(
        name == each or name.startswith(f"{each}/") for each in case.outputs)]
    if own:
        yield f"leaves or changes {own}"
    if "--json" in case.arguments:
        try:
            value = json.loads(ending.out, parse_constant=_refuse)
        except ValueError as error:
            yield f"not JSON: {error}: {ending.out[:80]!r}"
            return
        yield from () if case.impossible else impossible(value)
        if case.rows is not None and value != case.rows:
            yield f"a wrong table: {ending.out[:300]}"


def _refuse(name: str) -> None:
    raise ValueError(f"{name} in it")


def impossible(value: Any, name: str = "") -> Iterator[str]:
    """Numbers in a JSON report that nothing can be."""
    if isinstance(value, dict):
        for key, inside in value.items():
            yield from impossible(inside, key)
    elif isinstance(value, list):
        for inside in value:
            yield from impossible(inside, name)
    elif isinstance(value, int | float):
        if name in NOT_BELOW_0 and value < -1e-9:
            yield f"{name} is {value}"
        if name in AT_MOST_1 and value > 1 + 1e-9:
            yield f"{name} is {value}"


def _where(error: BaseException) -> str:
    """The error, and the last line of the product that it passed."""
    frames = traceback.extract_tb(error.__traceback__)
    own = [f for f in frames if "/site-packages/" not in f.filename
           and "/tests/fuzz/" not in f.filename and "/lib/python" not in f.filename]
    place = "/".join(Path(own[-1].filename).parts[-3:]) if own else "?"
    line = f", {place}:{own[-1].lineno} {own[-1].name}" if own else ""
    return f"{type(error).__name__}: {str(error)[:200]}{line}"


def state(folder: Path) -> dict[str, str]:
    """Everything inside a folder by its path, with what tells it from another."""
    found = {}
    for root, folders, files in os.walk(folder, onerror=None):
        for name in (*folders, *files):
            path = Path(root, name)
            found[str(path.relative_to(folder))] = _told(path)
    return found


def _told(path: Path) -> str:
    kind = path.lstat().st_mode
    if stat.S_ISLNK(kind):
        return f"-> {os.readlink(path)}"
    if stat.S_ISREG(kind):
        return hashlib.sha256(path.read_bytes()).hexdigest()
    return oct(stat.S_IFMT(kind))
