"""Uneven staleness: against even twins of the same mean, in training and in stable rates."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from figures.methods import BATCH
from figures.pictures.dynamic import cases
from figures.pictures.dynamic import uneven as picture
from sim.experiment.configuration import resolve
from sim.experiment.run import run
from sim.op import Op
from sim.spread import Paired
from tests.docs.claims import check
from tests.docs.claims.data import gallery, told


def pairs(names: list[str]) -> dict[tuple[str, str], Paired]:
    """What unevenness does, of those methods and orders in which no training diverged."""
    found = {(case, method): picture.effect(gallery("uneven"), case, method)
             for case in names for method in picture.METHODS}
    return {key: pair for key, pair in found.items() if pair is not None}


@check("uneven-setting")
def setting() -> Iterator[str]:
    rows = gallery("uneven")
    runs = len(picture.column(rows, "jitter", "none", "late_loss"))
    seeds = len({row["seed"] for row in rows if row["part"] == "training"}) // picture.DRAWS
    assert seeds == 5
    yield (f"{cases.STAGES} {picture.RATE} {BATCH} {cases.MINIBATCHES} {runs} {cases.SIGMA:g} "
           f"{cases.SLOW:g} {cases.WINDOW_S:g} {cases.DRAIN}")


@check("uneven-time")
def in_time() -> Iterator[str]:
    """Few pairs notice, and one alone after a correction for all that were looked at."""
    found = pairs(picture.in_time())
    noticed = {key: pair for key, pair in found.items() if picture.sure(pair)}
    yield f"{len(noticed)} {len(found)} 0.05 {0.05 * len(found):.2g}"
    corrected = [key for key, pair in found.items() if (pair.p or 1.0) < 0.05 / len(found)]
    assert corrected == [("jitter", "spectrain")]
    yield f"0.05/{len(found)} {told(found['jitter', 'spectrain'])}"
    assert not any(picture.sure(found[case, method]) for case in picture.in_time()
                   for method in ("none", "stash", "spectrain-stashed", "i-timeprest",
                                  "delay-adaptive"))


@check("uneven-stages")
def over_stages() -> Iterator[str]:
    found = {method: pair for (_, method), pair in pairs(["by stage"]).items()}
    yield "0 7 3.5"
    yield f"{told(found['none'])} {told(found['i-timeprest'])}"
    yield f"{told(found['spectrain'])} {told(found['spectrain-stashed'])}"
    assert not picture.sure(found["stash"])
    yield told(found["stash"])
    assert "nwpt" not in found
    lost = picture.column(gallery("uneven"), "by stage" + cases.EVENED, "nwpt", "late_loss")
    yield f"{lost.count(None)} {len(lost)}"
    yield f"7 3.5 {told(found['vertical-sync'])}"


@check("uneven-slowed")
def slowed() -> Iterator[str]:
    rows, even = gallery("uneven"), "by stage" + cases.EVENED
    for order in ("jitter", "stragglers"):
        found = picture.gain(rows, order, "delay-adaptive")
        assert found is not None
        assert not picture.sure(found)
        yield told(found)
    for order in ("jitter", "stragglers", even):
        found = picture.gain(rows, order, "delay-adaptive, dropping")
        assert found is not None
        assert picture.sure(found) == (order != "stragglers")
        yield told(found)


@check("uneven-edges")
def edges() -> Iterator[str]:
    rows = gallery("uneven")
    ratios = np.concatenate([picture.edge(rows, case) / picture.edge(rows, case + cases.EVENED)
                             for case in picture.in_time()])
    yield f"{ratios.min():.2f} {ratios.max():.2f}"
    assert ratios.min() < 1
    for case in ("jitter", "stragglers"):
        gains = picture.edge(rows, case, "delay-adaptive") / picture.edge(rows, case)
        yield f"{gains.min():.2f} {gains.max():.2f}"


@check("uneven-elsewhere")
def elsewhere() -> Iterator[str]:
    """Stage 0 of 2-1-1 is one and two of its own updates late, half and half; each worker of two
    as late as a pipeline alone."""
    found = [row for row in gallery("uneven")
             if (row["part"], row["order"]) == ("delays", picture.REPLICAS)]
    first = {row["delay"]: row["updates"] for row in found if row["stage"] == 0}
    assert first[1] / first[2] < 1.02
    assert first[2] / first[1] < 1.02
    assert {row["stage"]: row["delay"] for row in found if row["updates"] > 350} == {1: 1, 2: 0}
    for rule in ("all-reduce", {"name": "wave", "distance": 1}):
        trace = run(resolve({"pipeline": {"stages": 4, "minibatches": 60},
                             "workers": {"count": 2, "combine": rule, "slowdown": [1.0, 1.5]},
                             "training": {"task": "none"}}))
        steady = (trace.op == Op.F) & (trace.minibatch > 20) & (trace.minibatch < 50)
        assert all(set(trace.staleness[steady & (trace.stage == k)]) == {3 - k} for k in range(4))
    yield "2-1-1 0 1 2"
