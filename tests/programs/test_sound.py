"""Random sound programs take in every engine what an own model says."""

from __future__ import annotations

from random import Random
from typing import Any

import pytest

from sim.experiment.program_file import reshaped
from sim.experiment.run import add_times, settle
from sim.experiment.setup import VirtualSetup
from sim.order.program import Program
from sim.order.torch_csv.reading import parse
from sim.times.engines import kernels_of
from sim.times.timeline import Timeline
from tests.oracles.any_program import Costs, Model, Row, streams_of
from tests.programs.made import Made, costs, made
from tests.sim.experiments import experiment
from tests.sim.times.engines import NAMES, assert_equal

A_TEST = 500


def settings(seconds: Costs, stages: int) -> dict[str, Any]:
    """The configuration of the same seconds."""
    pair = {} if seconds.pair is None else {"overlapped_s": list(seconds.pair)}
    return {"forward_s": list(seconds.forward), "backward_s": list(seconds.backward),
            "update_s": seconds.update, "latency_s": seconds.latency, "sync_latency_s": 0.0,
            "receives": "holding" if seconds.holding else "posted",
            "copies": "apart" if seconds.apart else "all-reduce", "task": "none",
            "stages": stages, **pair}


def timeline(program: Program, engine: str, keys: dict[str, Any]) -> Timeline:
    asked = reshaped(experiment(**keys), program)
    kernels = kernels_of(engine, len(program))
    return add_times(VirtualSetup.of(asked, program, kernels=kernels), engine)


def check(number: int) -> None:
    rng = Random(f"sound {number}")
    whole, text = made(rng), ""
    seconds, text = costs(rng, whole), whole.text()
    keys = settings(seconds, whole.stages)
    model = Model(streams_of(text), whole.stages, whole.sizes)
    assert list(model.faults()) == [], text
    program = parse(text)
    assert parse(str(program)) == program
    reference = timeline(program, "simpy", keys)
    expected = model.times(seconds)
    assert expected is not None, text
    compare(reference, expected, whole, f"{number}\n{text}\n{seconds}")
    for engine in NAMES:
        assert_equal(timeline(program, engine, keys), reference)
    if number % 10 == 0:  # and the versions of it can be told
        asked = reshaped(experiment(**keys), program)
        plan = settle(VirtualSetup.of(asked, program)).plan
        assert plan.forward.min() >= 0


def compare(found: Timeline, expected: dict[tuple[int, Row], tuple[float, float]], whole: Made,
            what: str) -> None:
    rows = found.program.rows
    for row, (_, stage, index, count) in enumerate(zip(*(c.tolist() for c in rows), strict=True)):
        name = found.program.instruction(row).op.name
        key = int(found.program.device[row]), Row(stage, name, index, index + count - 1)
        assert (found.start_s[row], found.end_s[row]) == expected[key], (key, what)
    assert len(expected) == len(found.program)


@pytest.mark.parametrize("first", range(0, 100, 25))
def test_random_programs_take_the_same_in_every_engine(first):
    for number in range(first, first + 25):
        check(number)


@pytest.mark.verify
@pytest.mark.parametrize("first", range(0, 10_000, A_TEST))
def test_ten_thousand_programs_take_the_same_in_every_engine(first):
    for number in range(first, first + A_TEST):
        check(number)
