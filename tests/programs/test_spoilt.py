"""Programs with slips in them: refused with the cell or the waiting heads, or sound as they are."""

from __future__ import annotations

import re
from collections import Counter
from random import Random
from typing import Any

import pytest

from sim.errors import DeadlockError, InvalidProgramError
from sim.order.torch_csv.reading import parse
from sim.times.timeline import Timeline
from tests.oracles.any_program import Model, streams_of
from tests.programs.made import Made, costs, made
from tests.programs.spoilt import spoilt
from tests.programs.test_sound import compare, settings, timeline

A_TEST = 1000
NAMED = re.compile(r"[0-9]+(?:SEND_|RECV_)?[FBIWU][0-9]|line [0-9]|stage [0-9]+|[0-9]+ streams"
                   "|text has none")


def updated_unasked(program: Made) -> bool:
    """Whether a device does a stage and has no update of it: the reader puts it in."""
    return any({row.stage for cell in stream for row in cell if row.op in "FBIW"}
               - {row.stage for cell in stream for row in cell if row.op == "U"}
               for stream in program.streams)


def check(number: int) -> str:
    """What became of a spoilt program: `refused`, `deadlock` or `sound`."""
    rng = Random(f"spoilt {number}")
    whole = made(rng)
    seconds, slipped = costs(rng, whole), spoilt(rng, whole)
    text = slipped.text()
    model = Model(streams_of(text), whole.stages, whole.sizes)
    what = f"{number}\n{text}\n{seconds}"
    faults = list(model.faults())
    expected = None if faults else model.times(seconds)
    outcome, said, found = tried(text, settings(seconds, whole.stages))
    if outcome == "sound" and updated_unasked(slipped):
        return "mended"
    if outcome == "sound":
        assert expected is not None, (faults, what)
        compare(found, expected, slipped, what)
        return outcome
    assert expected is None or updated_unasked(slipped), (said, what)
    assert ("waits for" in said) if outcome == "deadlock" else NAMED.search(said), (said, what)
    return outcome


def tried(text: str, keys: dict[str, Any]) -> tuple[str, str, Timeline | None]:
    """How a text fares: what becomes of it, what is said, and its timeline where it has one."""
    try:
        return "sound", "", timeline(parse(text), "auto", keys)
    except InvalidProgramError as error:
        return "refused", str(error), None
    except DeadlockError as error:
        return "deadlock", str(error), None


@pytest.mark.parametrize("first", [0, 100])
def test_spoilt_programs_are_refused_with_the_place(first):
    found = Counter(map(check, range(first, first + 100)))
    assert found["refused"] > 50
    assert found["sound"] > 0


@pytest.mark.verify
@pytest.mark.parametrize("first", range(0, 10_000, A_TEST))
def test_ten_thousand_spoilt_programs_are_refused_with_the_place(first, record_property):
    found = Counter(map(check, range(first, first + A_TEST)))
    for name, times in found.items():
        record_property(name, times)
    assert found["refused"] > A_TEST / 2
    assert found["sound"] > 0
