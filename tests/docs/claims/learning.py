"""Trainings by mini-batch: SpecTrain's claims, data parallelism, and much longer trainings."""

from __future__ import annotations

from collections.abc import Iterator
from statistics import mean

from figures.methods import BATCH, EPOCH
from figures.pictures import learning as picture
from figures.pictures.prediction import nearer
from sim.spread import POSITIVE, paired
from tests.docs.claims import check
from tests.docs.claims.data import gallery, mean_sd, told

SHORT, LONG = "learning", "learning-5000"
PIPELINES = ("none", "stash", "spectrain", "spectrain-stashed")


def end(file: str, method: str, quantity: str) -> list[float]:
    return picture.at_the_end(gallery(file), method, quantity)


def against(file: str, ours: str, theirs: str, quantity: str) -> str:
    return told(paired(end(file, ours, quantity), end(file, theirs, quantity), POSITIVE))


def fluctuation(file: str, method: str) -> list[float]:
    return picture.fluctuations(gallery(file), method)


@check("claim-nearer")
def prediction() -> Iterator[str]:
    rows = gallery("prediction")
    yield "1 2 3"
    for steps in (1, 2, 3):
        found = nearer(rows, "spectrain", steps)
        assert found.ci95 is not None
        assert found.ci95[0] > 1
        yield told(found, ".2f")


@check("claim-spectrain-loss")
def loss() -> Iterator[str]:
    yield "0.05"
    yield against(SHORT, "spectrain", "none", "training_loss")
    yield against(SHORT, "spectrain", "none", "validation_loss")


@check("claim-fluctuation")
def fluctuates() -> Iterator[str]:
    ours = fluctuation(SHORT, "spectrain")
    for baseline in ("none", "stash"):
        yield told(paired(ours, fluctuation(SHORT, baseline), POSITIVE))


@check("claim-stash")
def stash() -> Iterator[str]:
    yield "0.05"
    yield against(SHORT, "stash", "none", "training_loss")
    yield told(paired(fluctuation(SHORT, "stash"), fluctuation(SHORT, "none"), POSITIVE))


@check("learning-fluctuation")
def fluctuations() -> Iterator[str]:
    for method in ("none", "stash", "spectrain", "sequential"):
        yield mean_sd([100 * v for v in fluctuation(SHORT, method)], ".2f")
    found = paired(fluctuation(SHORT, "spectrain"), fluctuation(SHORT, "sequential"), POSITIVE)
    yield told(found)


@check("learning-parallel")
def parallel() -> Iterator[str]:
    for method in ("data parallel", "data parallel, scaled rate", "spectrain"):
        yield f"{mean(end(SHORT, method, 'training_loss')):.2g}"
    yield against(SHORT, "spectrain", "data parallel", "training_loss")
    yield against(SHORT, "spectrain", "data parallel, scaled rate", "training_loss")


@check("learning-long")
def long() -> Iterator[str]:
    rows = gallery(LONG)
    last = max(row["minibatch"] for row in rows)
    yield f"{last:,} {last * BATCH / EPOCH:.0f}"
    pipelines = [mean(end(LONG, method, "training_loss")) for method in PIPELINES]
    yield f"{min(pipelines):.5f} {max(pipelines):.5f}"
    yield f"{mean(end(LONG, 'sequential', 'training_loss')):.5f}"
    assert all(100 * max(fluctuation(LONG, method)) < 0.25 for method in PIPELINES)
    yield "0.25"


@check("learning-long-spectrain")
def long_spectrain() -> Iterator[str]:
    yield against(LONG, "spectrain", "none", "training_loss")
    yield against(LONG, "spectrain", "none", "validation_loss")
    yield against(LONG, "spectrain", "sequential", "training_loss")


@check("learning-long-parallel")
def long_parallel() -> Iterator[str]:
    yield f"{mean(end(LONG, 'data parallel', 'training_loss')):.2g}"
    yield against(LONG, "spectrain", "data parallel", "validation_loss")
