"""Orders written from how late updates are: their delays are those of a run, and twins even."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from figures.pictures.dynamic import cases, uneven
from figures.pictures.dynamic.written import (
    delays,
    drained,
    even,
    forwards_before,
    ordered,
    total_delay,
)
from sim.experiment.configuration import resolve
from sim.order.shape import PipelineShape
from sim.schedules import SCHEDULES
from tests.sim.experiments import by_pass, simulate

GREEDY = {"dispatch": "greedy", "task": "none"}


@st.composite
def recorded(draw):
    """The table of an order that came about under greedy dispatch."""
    keys = {"stages": draw(st.integers(1, 5)), "minibatches": draw(st.integers(1, 40)),
            "seed": draw(st.integers(0, 99)), "jitter": {"sigma": draw(st.floats(0, 1))}}
    return forwards_before(simulate(**keys, **GREEDY).program())


@settings(max_examples=25)
@given(recorded())
def test_delays_of_a_table_are_those_of_its_run(before):
    stages, minibatches = before.shape
    trace = simulate(ordered(before), stages=stages, minibatches=minibatches, task="none",
                     mitigation="stash")
    assert np.array_equal(by_pass(trace, "staleness"), delays(before))
    assert total_delay(before).tolist() == delays(before).sum(axis=1).tolist()


@settings(max_examples=25)
@given(recorded())
def test_an_order_is_its_table_and_back(before):
    assert np.array_equal(forwards_before(ordered(before)), before)


@settings(max_examples=25)
@given(recorded())
def test_a_twin_has_the_same_delays_in_sum_and_spreads_them_least(before):
    """Of a stage on its own, off its two ends: one of two neighbouring numbers, or the least that
    the next stage leaves it."""
    twin = even(total_delay(before).tolist(), before.shape[1])
    ordered(twin)
    off = np.abs(total_delay(twin) - total_delay(before))
    assert off.max() <= 1
    for own, other in zip(delays(twin), delays(before), strict=True):
        assert own.std() <= other.std() + 0.5


def test_a_twin_of_a_fixed_order_is_that_order():
    fixed = drained(6, 30, 30)
    assert ordered(fixed) == SCHEDULES["round-robin"].program(PipelineShape(6, 30))
    assert np.array_equal(even(total_delay(fixed).tolist(), 30), fixed)


def test_a_drained_pipeline_begins_afresh_each_time():
    late = delays(drained(3, 12, 4))
    assert late.tolist() == [[0, 1, 2, 2] * 3, [0, 1, 1, 1] * 3, [0, 0, 0, 0] * 3]


@pytest.mark.parametrize("case", cases.CASES)
def test_every_order_of_the_study_has_a_twin_of_its_mean(case, monkeypatch):
    monkeypatch.setattr(cases, "MINIBATCHES", 160)
    cases.table.cache_clear()
    own, twin = (total_delay(cases.table(case + each, 3)) for each in ("", cases.EVENED))
    cases.table.cache_clear()
    if cases.CASES[case].twin == "over stages":
        assert np.abs(twin - own.mean()).max() <= 1
    else:
        assert np.abs(twin - own).max() <= 1
    assert (np.diff(own) < 0).all()


def test_methods_of_the_study_are_those_that_take_a_written_order():
    for mitigation in uneven.METHODS.values():
        assert resolve(uneven.document(mitigation, 0)).pipeline.schedule == "file"
