"""Damaged input ends with 0 or 2, in lines and in time, and a refusal leaves nothing.

What a case is and how one is tried again: `python -m tests.fuzz KIND NUMBER`.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable

import pytest

from tests.fuzz.cases import FULL, QUICK
from tests.fuzz.worker import Worker

A_TEST = 1000  # cases


def tried(worker: Worker, kind: str, numbers: Iterable[int | str]) -> Counter[int]:
    """How many ended with which code; fails with every case that ended badly."""
    codes: Counter[int] = Counter()
    faults = []
    for number in numbers:
        found = worker.ask(kind, number)
        codes[found["code"]] += 1
        if found["fault"] is not None:
            faults.append(f"{kind} {number}: {found['command']}\n  {found['fault']}")
    assert not faults, "\n".join([f"{len(faults)} ended badly:", *faults[:20]])
    return codes


@pytest.mark.parametrize("kind", QUICK)
def test_damaged_input_ends_well(worker: Worker, kind: str) -> None:
    codes = tried(worker, kind, range(QUICK[kind]))
    assert codes[2] > 0
    assert codes[0] > 0 or kind == "picture"  # of few tables, all damaged


@pytest.mark.verify
@pytest.mark.parametrize(("kind", "first"), [
    (kind, first) for kind, count in FULL.items() for first in range(0, count, A_TEST)])
def test_a_hundred_thousand_damaged_inputs_end_well(
        worker: Worker, record_property: Callable[[str, object], None], kind: str, first: int
) -> None:
    assert sum(FULL.values()) == 100_000
    codes = tried(worker, kind, range(first, min(first + A_TEST, FULL[kind])))
    record_property("accepted", codes[0])
    record_property("refused", codes[2])
