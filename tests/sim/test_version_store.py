"""A stage keeps the weights that will be read, and no others."""

import numpy as np
import pytest

import sim.experiment.run
import sim.experiment.setup
from sim.numerics.stage import Stage
from sim.numerics.store import VersionStore
from tests.sim.experiments import TINY, simulate
from tests.sim.pairs import running


def recorded(monkeypatch, **keys) -> tuple[list[int], list[int], list[int]]:
    """Versions held per stage: most after any pass, at the end, and as the plan says."""
    stages: list[Stage] = []
    most: dict[int, int] = {}

    class Recording(Stage):
        def __init__(self, *arguments, **options):
            super().__init__(*arguments, **options)
            stages.append(self)
            most[self.number] = 1

        def count(self):
            most[self.number] = max(most[self.number], len(self.store))

        def forward(self, *arguments):
            output = super().forward(*arguments)
            self.count()
            return output

        def update(self, *arguments):
            super().update(*arguments)
            self.count()

    monkeypatch.setattr(sim.experiment.setup, "Stage", Recording)
    trace = simulate(**keys)
    return ([most[k] for k in range(len(stages))], [len(stage.store) for stage in stages],
            trace.header.versions_held)


@pytest.mark.parametrize(("schedule", "mitigation"), [
    pair for pair in running(3, 2) if pair[1] != "spectrain-stashed"])
def test_the_store_holds_at_its_peak_what_the_plan_says(monkeypatch, schedule, mitigation):
    most, at_the_end, planned = recorded(monkeypatch, **TINY, schedule=schedule, stages=3,
                                         minibatches=9, microbatches=2, mitigation=mitigation)
    assert most == planned
    assert at_the_end == [1, 1, 1]


def test_the_store_of_a_stash_shrinks_towards_the_last_stage(monkeypatch):
    most, at_the_end, _ = recorded(monkeypatch, **TINY, stages=4, minibatches=12,
                                   mitigation="stash")
    assert most == [4, 3, 2, 1]
    assert at_the_end == [1, 1, 1, 1]


def test_weights_once_made_are_never_changed_in_place():
    """Updates are functional: a stash is a reference, and a run leaves its task as it was."""
    from sim.experiment.setup import make_task
    from tests.sim.experiments import experiment

    given = experiment(**TINY, stages=3, minibatches=5, mitigation="stash")
    task = make_task(given)
    before = [weights.copy() for weights in task.weights]
    seen = []
    sim.experiment.run.run(given, watch=lambda stage, version, weights: seen.append(
        (weights, weights.copy())))
    assert all(np.array_equal(weights, then) for weights, then in seen)
    assert all(np.array_equal(a, b) for a, b in zip(before, task.weights, strict=True))


def test_a_store_keeps_the_newest_and_what_will_be_read():
    store = VersionStore("w0", [1, 0, 2, 0])
    store.add("w1")
    assert (store.version, store.newest, len(store)) == (1, "w1", 2)
    store.release(0)
    assert len(store) == 1
    store.add("w2")
    store.add("w3")
    assert len(store) == 2
    assert [store.read(2), store.read(3)] == ["w2", "w3"]
    store.release(2)
    store.release(2)
    assert len(store) == 1
    with pytest.raises(KeyError):
        store.read(2)


def test_replaced_weights_are_still_there_for_the_backwards_that_need_them():
    store = VersionStore("w0", [3])
    store.replace("theirs", [7])
    store.replace("theirs again", [7, 8])
    assert (store.version, store.newest, len(store)) == (0, "theirs again", 1)
    assert store.read_back(7, 0) == "w0"
    assert store.read_back(8, 0) == "theirs"
    assert store.read_back(9, 0) == store.read_back(7, 0) == store.read(0) == "theirs again"
