"""Who watches a stage is told of the very weights it reads and makes."""

import numpy as np
import pytest

from sim.experiment.setup import VirtualSetup, make_stages
from sim.numerics.stage import Stage
from sim.numerics.training import train
from sim.op import Op
from sim.order.check import execution_order
from sim.weights.versions import VersionPlan
from tests.sim.experiments import TINY, experiment
from tests.sim.pairs import running


class Note:
    """Keeps what it is told, by operation and micro-batch or by mini-batch."""

    def __init__(self, first):
        self.made, self.read, self.used = [first], {}, {}

    def on_read(self, op, index, read, used):
        self.read[op, index], self.used[op, index] = read, used

    def on_update(self, minibatch, old, new):
        assert old is self.made[minibatch]
        self.made.append(new)


def watched(**keys) -> tuple[list[Stage], VersionPlan]:
    given = experiment(**TINY, **keys)
    setup = VirtualSetup.of(given)
    plan = setup.versions(setup.program)
    stages = make_stages(setup, plan, setup.task)
    for stage in stages:
        stage.observer = Note(stage.weights)
    train(execution_order(setup.program), stages, setup.task, setup.program)
    return stages, plan


@pytest.mark.parametrize(("schedule", "mitigation"), [
    pair for pair in running(3, 2) if pair[1] != "spectrain-stashed"])
def test_what_is_read_are_the_weights_of_the_planned_version(schedule, mitigation):
    stages, plan = watched(schedule=schedule, mitigation=mitigation, stages=3, minibatches=6,
                           microbatches=2)
    for k, stage in enumerate(stages):
        note = stage.observer
        assert len(note.made) == 7
        assert note.made[-1] is stage.weights
        for op, versions in ((Op.F, plan.forward[k]), (Op.B, plan.backward[k])):
            assert all(note.read[op, i] is note.made[v] for i, v in enumerate(versions.tolist()))


def test_what_is_used_is_what_the_mitigation_made_of_it():
    (first, *_, last), _ = watched(mitigation={"name": "spectrain", "horizon": "update"}, stages=3,
                                 minibatches=9)
    assert all(last.observer.used[key] is read for key, read in last.observer.read.items()
               if key[0] is Op.F)
    moved = [not np.array_equal(first.observer.used[key], read)
             for key, read in first.observer.read.items() if key[0] is Op.F]
    assert sum(moved) >= 5


def test_a_reused_prediction_is_what_its_backward_read():
    (first, *_), _ = watched(mitigation="spectrain-stashed", stages=3, minibatches=9)
    note = first.observer
    assert all(note.read[Op.B, i] is note.used[Op.B, i] is note.used[Op.F, i] for i in range(9))
