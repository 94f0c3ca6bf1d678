"""What training real stages on CPU threads found: staleness, and the PyTorch tutorial's setting."""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from typing import Any

from tests.docs.claims import check
from tests.docs.claims.data import mean_sd, report

STUDY, TUTORIAL = "cpu-2core/staleness/staleness.json", "cpu-2core/tutorial/tutorial.json"


def rmse(name: str) -> Iterator[str]:
    found = report(STUDY)["prediction"]["sequential"]
    for steps in ("1", "2", "3"):
        values = [1e3 * value for value in found[steps][f"{name}_rmse"]["values"]]
        assert len(values) == 3
        yield mean_sd(values, ".3f")


check("network-stale")(partial(rmse, "stale"))
check("network-predicted")(partial(rmse, "predicted"))


@check("network-setting")
def setting() -> Iterator[str]:
    found = report(STUDY)["settings"]
    assert found["stages"] == 4
    assert len(report(STUDY)["seeds"]) == 3
    yield f"{found['batch_size']} {found['learning_rate']} {found['minibatches']}"


@check("network-nearer")
def nearer() -> Iterator[str]:
    found = report(STUDY)["prediction"]
    for method in ("sequential", "spectrain"):
        times = [found[method][s]["stale_rmse"]["mean"] / found[method][s]["predicted_rmse"]["mean"]
                 for s in ("1", "2", "3")]
        assert times == sorted(times, reverse=True)
        assert all(2 < time < 3 for time in times)
    return iter(())


@check("network-target")
def target() -> Iterator[str]:
    yield f"{100 * report(STUDY)['target_accuracy']:g}"
    for method in ("spectrain", "sequential", "nwpt", "none", "stash", "vertical-sync"):
        found = report(STUDY)["methods"][method]["minibatches_to_target"]
        assert not found["missing"]
        yield mean_sd(found["values"], ".0f")


def timing() -> Any:
    return report(TUTORIAL)["timing_s"]


@check("tutorial-times")
def times() -> Iterator[str]:
    found = report(TUTORIAL)
    assert len(timing()["single"]["values"]) == 5
    for name in ("single", "model_parallel"):
        yield mean_sd(timing()[name]["values"], ".3f")
    ratios, ours, theirs = found["ratios_of_medians"], timing()["pipelined"], found["published"]
    best = str(ratios["best_split"])
    tutorials = str(theirs["best_split"])
    for split in (best, tutorials):
        yield f"{mean_sd(ours[split]['values'], '.3f')} {split}"
    yield f"{ratios['pipelined_over_single'][best]:.2f}"
    yield f"{theirs['pipelined_s'][tutorials] / theirs['single_s']:.2f}"


@check("tutorial-nwpt")
def nwpt() -> Iterator[str]:
    found = report(TUTORIAL)["look_ahead"]["methods"]
    ours, theirs = found["model parallel, NWPT"], found["model parallel"]
    assert all(each["training_accuracy"]["mean"] == 1 for each in (ours, theirs))
    for name, digits in (("total_s", ".2f"), ("validation_loss", ".3f")):
        for each in (ours, theirs):
            yield mean_sd(each[name]["values"], digits)
    yield "100"
