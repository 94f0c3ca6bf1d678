"""How stale a cycle's forwards are, and what its devices hold."""

from __future__ import annotations

import numpy as np

from analysis.ordering.periodic.cycle import Cycle, Event
from analysis.ordering.problem import OrderProblem
from sim.arrays import Floats, Ints
from sim.experiment.making import make_mitigation
from sim.mitigations import Mitigation
from sim.op import Op

BACK = (Op.B, Op.I)


def staleness(cycle: Cycle, stages: int) -> Ints:
    """The most updates behind that a forward of each stage reads, (stages,)."""
    most = np.full(stages, -1)
    for events in cycle.devices:
        update = {each.stage: (number, each.shift) for number, each in enumerate(events)
                  if each.op is Op.U}
        for number, (op, stage, _, shift) in enumerate(events):
            if op is Op.F:
                place, late = update[stage]
                most[stage] = max(most[stage], late - shift - int(place < number))
    return most


def needed_bytes(cycle: Cycle, problem: OrderProblem) -> Floats:
    """Bytes that each device needs at its worst moment, (devices,).

    [choice] A mitigation that keeps older weights, or predicts them, counts on every stage as one
    more set for each update that its most stale forward is behind, all the time: more are never
    there.  One that predicts has a set besides while a pass runs.
    """
    rule, found = mitigation_of(problem), problem.base_bytes.copy()
    keeps = reads_back(rule) or rule.stash == "prediction"
    sets = staleness(cycle, problem.stages) * keeps + (rule.predicts or rule.interpolates)
    found += np.bincount(problem.device, sets * problem.weight_bytes, minlength=problem.devices)
    for device, events in enumerate(cycle.devices):
        found[device] += _most(events, problem)
    return found


def mitigation_of(problem: OrderProblem) -> Mitigation:
    """The mitigation that the problem's experiment trains under."""
    return make_mitigation(problem.experiment.pipeline.mitigation)


def reads_back(rule: Mitigation) -> bool:
    """Whether backwards read other versions than the latest."""
    return type(rule).backward_version is not Mitigation.backward_version


def _most(events: tuple[Event, ...], problem: OrderProblem) -> float:
    """The most bytes that micro-batches in flight hold on a device with these events."""
    held, halved, rerun = (each.tolist() for each in (
        problem.held_bytes, problem.halved_bytes, problem.rerun_bytes))
    now = 0.0
    for op, stage, _, shift in events:  # what is in flight as a period begins
        now += shift * {Op.F: -held[stage], Op.B: held[stage], Op.I: held[stage] - halved[stage],
                        Op.W: halved[stage], Op.U: 0.0}[op]
    most = now
    for op, stage, _, _ in events:
        if op is Op.F:
            now += held[stage]
        elif op in BACK:
            most = max(most, now + rerun[stage])
            now += (halved[stage] if op is Op.I else 0.0) - held[stage]
        elif op is Op.W:
            now -= halved[stage]
        most = max(most, now)
    return most
