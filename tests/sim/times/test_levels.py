"""Levels: what a level needs is before it, and a ring keeps a time until nobody looks any more."""

from __future__ import annotations

from unittest import mock

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from sim.experiment.setup import generate
from sim.kernels.lane_order import LaneOrder
from sim.kernels.levels import NEVER, lay_out_levels
from sim.times.engine import simulate
from sim.times.exact.equations import MaxPlusSystem
from sim.times.exact.order import moments
from sim.times.replicas import drawn
from sim.times.replicas import replicate as replicas
from sim.times.replicas.replicate import replicate
from tests.sim.experiments import experiment, schedule_program
from tests.sim.strategies import names, shapes
from tests.sim.times.test_replicas import MAKES, replica


@st.composite
def systems(draw):
    """A program as a system, and rows of it that count: all with messages, some without."""
    shape = draw(shapes(6, 25, (1, 2, 3)))
    program = schedule_program(draw(names), shape.stages, shape.minibatches, shape.microbatches)
    program = program.lower() if draw(st.booleans()) else program
    alone = replica(experiment(stages=shape.stages, task="none"))
    system = MaxPlusSystem.of(program, *vars(alone).values())
    ops = np.array(draw(st.lists(st.booleans(), min_size=16, max_size=16)))
    counts = (system.source >= 0) | (system.link >= 0) | ops[program.rows.op]
    counts[draw(st.integers(0, len(program) - 1))] = True
    return system, counts


def levels_of(system, counts):
    moment = moments(system, counts.astype(float))
    rows = np.flatnonzero(counts)
    rows = rows[np.argsort(moment[rows], kind="stable")]
    number = np.arange(len(system.program))
    return rows, lay_out_levels(LaneOrder(
        rows, moment, system.program.device, system.source, system.link, number,
        system.program.rows.op, system.program.devices, len(system.receiver), False))


def row_before(rows, key):
    """For each row the last one before it in the order that has the same key; −1: none."""
    last, before = {}, []
    for row in rows:
        before.append(last.get(key[row], -1))
        last[key[row]] = row
    return before


@settings(deadline=None)
@given(systems())
def test_a_ring_still_holds_what_a_level_looks_for(drawn_system):
    system, counts = drawn_system
    rows, levels = levels_of(system, counts)
    device, link = system.program.device, system.link
    held = {NEVER: -1}
    on_link = row_before(rows, np.where(link >= 0, link, -1 - np.arange(len(link))))
    always = np.ones(len(rows), dtype=bool)
    looked = ((levels.before, row_before(rows, device), always),
              (levels.needed, system.source[rows], always),
              (levels.queued, on_link, link[rows] >= 0))
    for level, at in enumerate(levels.at):
        own = np.arange(levels.first[level], levels.first[level + 1])
        assert len(set(device[rows[own]])) == len(own)
        for look, meant, asks in looked:
            found = np.array([held.get(place, -2) for place in look.place[own]])
            assert (found == np.array(meant)[own])[asks[own]].all()
            if look.run[level] >= 0:
                assert (look.place[own] == look.run[level] + np.arange(len(own))).all()
        held |= {at + i: row for i, row in enumerate(rows[own])}
    assert max(held) <= levels.ring
    ends = [rows[device[rows] == d][-1] for d in set(device[rows])]
    last = np.repeat(levels.last, np.diff(levels.first))
    assert set(ends) <= set(rows[last])


def test_a_steady_pipeline_has_nearly_all_devices_in_a_level_and_gathers_no_clocks():
    system = MaxPlusSystem.of(schedule_program("round-robin", 4, 100), *vars(
        replica(experiment(stages=4, task="none"))).values())
    _, levels = levels_of(system, (system.source >= 0) | (system.link >= 0))
    assert levels.widest == 4
    assert len(levels.at) < 2 * 100 + 10
    for look in (levels.before, levels.queued):
        assert np.mean(np.array(look.run) < 0) < 0.05


@pytest.mark.parametrize("kernels", MAKES)
@pytest.mark.parametrize("columns", [False, True])
def test_blocks_of_few_lanes_are_the_single_runs_too(kernels, columns):
    """Costs, sigmas and seeds change within a block; blocks share memory, the last is smaller."""
    family = [experiment(stages=3, minibatches=20, task="none", latency_s=0.4, seed=i,
                         forward_s=[1.0, 0.5 + i // 3, 2.0], update_s=0.1 * (i % 2),
                         **({"jitter": {"sigma": 0.1 + i / 20}} if i % 4 else {}))
              for i in range(11)]
    program = generate(family[0])
    room = 8 * 700 * 4  # some lanes of about 3 · 3 · 20 places and what is kept beside
    with (mock.patch.multiple(replicas, COMPILED_BYTES=room, NUMPY_BYTES=room),
          mock.patch.object(drawn, "TOGETHER", 2)):
        found = replicate(program, [replica(each, i) for i, each in enumerate(family)],
                          kernels=kernels, columns=columns)
    for i, each in enumerate(family):
        alone = simulate(program, *vars(replica(each, i)).values())
        assert found.makespan_s[i] == alone.end_s.max()
        if columns:
            assert np.array_equal(found.start_s[i], alone.start_s)
            assert np.array_equal(found.end_s[i], alone.end_s)


@pytest.mark.parametrize("kernels", MAKES)
def test_what_takes_no_time_and_sends_nothing_ends_at_once(kernels):
    given_ = experiment(stages=1, minibatches=3, task="none", forward_s=0.0, backward_s=0.0)
    for columns in (False, True):
        found = replicate(generate(given_), [replica(given_)] * 2, kernels=kernels,
                          columns=columns)
        assert found.makespan_s.tolist() == [0.0, 0.0]
