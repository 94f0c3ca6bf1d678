"""How much memory this process may still take: the machine's, its control group's, its limit."""

from __future__ import annotations

import math
from collections.abc import Iterator
from pathlib import Path

PROC, GROUPS = Path("/proc"), Path("/sys/fs/cgroup")
SMALL = 2.0**28  # bytes that every machine has: what takes no more asks for no reading
UNLIMITED = 2**60  # what the first version of control groups says where there is no limit


def free_bytes(proc: Path = PROC, groups: Path = GROUPS) -> float:
    """Bytes of memory this process may still take; inf where the system does not say.

    The least of what the machine has left, of what is left to each control group that the process
    is in (containers are such groups), and of the process's own limit of address space.
    Source: Linux, proc(5) and the kernel's documentation of control groups, versions 1 and 2.
    """
    return min((*_machine(proc), *_groups(proc, groups), *_process(proc)), default=math.inf)


def _machine(proc: Path) -> Iterator[float]:
    for name, kilobytes in _fields(proc / "meminfo"):
        if name == "MemAvailable:":
            yield 1024.0 * kilobytes


def _groups(proc: Path, groups: Path) -> Iterator[float]:
    """What is left to each control group from the process's own up to the root."""
    for line in _text(proc / "self/cgroup").splitlines():
        _, controllers, path = line.split(":", 2)
        second = not controllers
        if not second and "memory" not in controllers.split(","):
            continue
        root = groups if second else groups / "memory"
        limit, used, cache = (("memory.max", "memory.current", "inactive_file") if second else
                              ("memory.limit_in_bytes", "memory.usage_in_bytes",
                               "total_inactive_file"))
        here = root / path.lstrip("/")
        for folder in (here, *here.parents):
            most, taken = _number(folder / limit), _number(folder / used)
            if most is not None and taken is not None and most < UNLIMITED:
                again = dict(_fields(folder / "memory.stat")).get(cache, 0)  # files it can drop
                yield max(0.0, float(most - taken + again))
            if folder == root:
                break


def _process(proc: Path) -> Iterator[float]:
    try:
        import resource  # not on every system
    except ImportError:
        return
    limit, _ = resource.getrlimit(resource.RLIMIT_AS)
    if limit != resource.RLIM_INFINITY:
        taken = dict(_fields(proc / "self/status")).get("VmSize:", 0) * 1024
        yield max(0.0, float(limit - taken))


def _fields(path: Path) -> Iterator[tuple[str, int]]:
    """The lines `name number …` of a file; others are left out."""
    for line in _text(path).splitlines():
        words = line.split()
        if len(words) > 1 and words[1].isdecimal():
            yield words[0], int(words[1])


def _number(path: Path) -> int | None:
    text = _text(path).strip()
    return int(text) if text.isdecimal() else None


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8", errors="replace")
    except OSError:
        return ""
