"""What is written apart, on what the definitions say outright."""

import pytest

from tests.oracles.apart import learning, memory, orders, times, versions
from tests.oracles.apart.case import TICK, Case


def whole(**keys):
    case = Case(**keys)
    order = orders.streams(case)
    found = versions.versions(case, order)
    when = times.run(case, order, lambda worker, each: times.nominal(case, worker, each))
    return case, order, found, when


@pytest.mark.parametrize(("latency", "makespan"), [("pipelined", 3.8), ("held", 16.4)])
def test_latency_is_occupancy_only_where_it_is_held(latency, makespan):
    *_, when = whole(schedule="gpipe", stages=2, minibatches=1, microbatches=8, forward_s=0.1,
                     backward_s=0.1, latency_s=1.0, latency=latency, task="none")
    assert max(when.end.values()) * TICK == pytest.approx(makespan, abs=1e-6)


def test_activations_made_again_count_beside_the_inputs_kept():
    case, order, found, _ = whole(schedule="gpipe", stages=4, microbatches=4, minibatches=4,
                                  batch_size=28, layers=8, backward="recompute")
    held = memory.held(case, order, found)
    assert [max(each.total) for each in held] == [88064, 88064, 88064, 56960]


@pytest.mark.parametrize(("decay", "held"), [(1.0, [3, 2, 1]), (float("inf"), [1, 1, 1])])
def test_an_interpolation_without_a_stale_share_holds_one_version(decay, held):
    case, order, found, _ = whole(stages=3, minibatches=12,
                                  mitigation={"name": "i-timeprest", "decay": decay})
    assert [max(each.versions) for each in memory.held(case, order, found)] == held


def test_a_rate_schedule_spans_a_stages_own_updates():
    case, _, found, when = whole(
        schedule="sequential", stages=1, minibatches=80, count=4, batch_size=8, width=16, seed=3,
        learning_rate=0.2, rate_schedule={"name": "cosine"})
    assert learning.learn(case, found, when).final[0] == pytest.approx(2.2404640873457433,
                                                                       rel=1e-13)


def test_the_papers_slots_of_three_stages():
    """REFERENCE section 2: mini-batch 4 (3 from 0) sees 1, 2, 3 updates forward and 3 backward,
    from half-slot 8 on, two slots before which is where the clock starts."""
    _, _, found, when = whole(stages=3, minibatches=10, task="none")
    assert [found.newest["F", k, 3] for k in range(3)] == [1, 2, 3]
    assert [found.newest["B", k, 3] for k in range(3)] == [3, 3, 3]
    starts = {each: start * TICK for (_, each), start in when.start.items() if each.first == 3}
    assert [starts[each] for each in sorted(starts) if each.op == "F"] == [6, 7, 8]
    assert [starts[each] for each in sorted(starts) if each.op == "B"] == [11, 10, 9]


def test_nf1bs_published_grid():
    order = orders.streams(Case(schedule="nf1b", stages=3, minibatches=5, microbatches=2))
    cells = ["".join(f"{x.first // 2 + 1}{'AB'[x.first % 2]} " if x.op == "F" else
                     f"{x.first // 2 + 1} " for x in stream if x.op != "U") for stream in order]
    assert cells == ["1A 1B 2A 2B 3A 3B 1 4A 4B 2 5A 5B 3 4 5 ",
                     "1A 1B 2A 2B 1 3A 3B 2 4A 4B 3 5A 5B 4 5 ",
                     "1A 1B 1 2A 2B 2 3A 3B 3 4A 4B 4 5A 5B 5 "]
