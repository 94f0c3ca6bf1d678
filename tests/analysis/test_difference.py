"""Where two traces differ first: in their order, else in versions, else in times."""

import pytest

from analysis.comparison.difference import difference
from analysis.terminal.difference_table import difference_table
from sim.experiment.configuration import resolve
from sim.experiment.run import run
from tests.analysis.screens import shown


@pytest.mark.parametrize(("changes", "of", "device", "number", "ours", "theirs"), [
    ({"pipeline": {"mitigation": "none"}}, "versions", 1, 5,
     {"op": "B", "minibatch": 2, "version_read": 0}, {"version_read": 1}),
    ({"cluster": {"latency_s": 0.5}}, "times", 1, 0, {"start_s": 1.0}, {"start_s": 1.5}),
    ({"pipeline": {"minibatches": 13}}, "order", 0, 32, {"op": "B", "minibatch": 11},
     {"op": "F", "minibatch": 13}),
    ({"pipeline": {"schedule": "1f1b"}}, "order", 0, 1, {"op": "F", "minibatch": 2},
     {"op": "B", "minibatch": 1}), ({}, None, None, None, {}, {})])
def test_the_first_difference_is_found(changes, of, device, number, ours, theirs):
    """By hand; stage 1 runs F1 F2 B1 U F3 B2, and `stash` keeps what F2 read: version 0."""
    base = {"pipeline": {"minibatches": 12, "mitigation": "stash"}, "training": {"task": "none"}}
    changed = {key: base.get(key, {}) | changes.get(key, {}) for key in base | changes}
    found = difference(run(resolve(base)), run(resolve(changed)))["first_difference"]
    if of is None:
        assert found is None
        return
    assert (found["of"], found["device"], found["number"]) == (of, device, number)
    assert found["first"] | ours == found["first"]
    assert found["second"] | theirs == found["second"]


def test_a_stream_that_ends_first_differs_there():
    keys = {"schedule": "sequential", "stages": 1}
    one, more = (run(resolve({"pipeline": keys | {"minibatches": count},
                              "training": {"task": "none"}})) for count in (2, 3))
    found = difference(one, more)
    assert found["first_difference"] == {
        "of": "order", "device": 0, "number": 6, "first": {},
        "second": {"op": "F", "stage": 0, "minibatch": 3, "microbatch": None}}
    assert "a.npz has no more, b.npz F of mini-batch 3 on stage 0" in shown(
        [difference_table(found, "a.npz", "b.npz")], 200)
