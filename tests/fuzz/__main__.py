"""Many cases: `python -m tests.fuzz [--share S] [KIND…]`; one: `… KIND NUMBER`."""

from __future__ import annotations

import argparse
import json
import re
import sys
from collections import Counter
from collections.abc import Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any

from tests.fuzz.cases import FULL, case
from tests.fuzz.worker import Worker


def main() -> int:
    """Try what was asked for and say what is wrong; 1 where anything is."""
    options = argparse.ArgumentParser(prog="python -m tests.fuzz", description=__doc__)
    options.add_argument("kinds", nargs="*")
    options.add_argument("--share", type=float, default=1.0, help="of the hundred thousand")
    options.add_argument("--from", dest="first", type=int, default=0)
    options.add_argument("--workers", type=int, default=1)
    asked = options.parse_args()
    if len(asked.kinds) == 2 and asked.kinds[1] not in FULL:
        return one(*asked.kinds)
    counts = {kind: max(1, round(FULL[kind] * asked.share)) for kind in asked.kinds or FULL}
    shares = [[(kind, range(asked.first + each, asked.first + count, asked.workers))
               for kind, count in counts.items()] for each in range(asked.workers)]
    with ThreadPoolExecutor(asked.workers) as pool:
        found = [each for own in pool.map(all_of, shares) for each in own]
    return report(found)


def all_of(work: Sequence[tuple[str, range]]) -> list[tuple[str, dict[str, Any]]]:
    """Cases of several kinds by one worker."""
    with Worker() as worker:
        return [(kind, tried(worker, kind, numbers)) for kind, numbers in work]


def one(kind: str, number: str) -> int:
    """One case again, in words."""
    made = case(kind, number)
    print(made, made.nodes or "", "must be refused" if made.refused else "", sep="\n")
    for name, content in made.files.items():
        print(f"--- {name}\n{content[:3000].decode(errors='backslashreplace')}")
    with Worker() as worker:
        found = worker.ask(kind, number)
    print(json.dumps(found, indent=2, ensure_ascii=False))
    return int(found["fault"] is not None)


def tried(worker: Worker, kind: str, numbers: Iterable[int]) -> dict[str, Any]:
    """How many cases of a kind were accepted and refused, in what processor time, and faults."""
    seconds = 0.0
    codes: Counter[Any] = Counter()
    faults = []
    for number in numbers:
        found = worker.ask(kind, number)
        codes[found["code"]] += 1
        seconds += found.get("seconds", 0.0)
        if found["fault"] is not None:
            faults.append((number, found))
            print(f"{kind} {number}: {found['fault'][:200]}", file=sys.stderr, flush=True)
    return {"codes": codes, "faults": faults, "seconds": seconds}


def report(found: list[tuple[str, dict[str, Any]]]) -> int:
    """Print a line a kind, and every fault once; how many kinds of fault."""
    for kind in dict.fromkeys(name for name, _ in found):
        own = [each for name, each in found if name == kind]
        codes = sum((each["codes"] for each in own), Counter())
        seconds = sum(each["seconds"] for each in own)
        print(f"{kind:15} {codes.total():7} tried, {codes[0]:7} accepted, {codes[2]:7} refused, "
              f"{sum(len(each['faults']) for each in own):5} faults, {seconds:7.1f} s")
    groups: dict[str, list[tuple[str, int, dict[str, Any]]]] = {}
    for kind, each in found:
        for number, fault in each["faults"]:
            alike = re.sub(r"[\d'\"(\[{].*?(?=, [\w/]+\.py|$)", "…", fault["fault"], count=1)
            groups.setdefault(f"{fault['command'].split()[2:4]} {alike}", []).append(
                (kind, number, fault))
    for faults in sorted(groups.values(), key=len, reverse=True):
        kind, number, fault = min(faults, key=lambda each: len(each[2]["command"]))
        print(f"\n{len(faults)} times, e.g. {kind} {number}: {fault['command'][:300]}\n"
              f"    {fault['fault'][:500]}")
    return len(groups)


if __name__ == "__main__":
    sys.exit(1 if main() else 0)
