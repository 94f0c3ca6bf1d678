"""`sim compare --seeds`: how much is said of so many seeds, and rows paired with the first."""

import math
from statistics import mean, stdev

import pytest

from sim.__main__ import main as sim
from tests.test_doors import as_json, call

SMALL = ("--set", "minibatches=12", "--set", "stages=2", "--set", "width=8")


def test_compare_over_seeds_gives_mean_spread_and_pairs() -> None:
    first, stash = as_json(sim, "compare", "--mitigations", "none,stash",  # type: ignore[misc]
                           "--seeds", 4, *SMALL)
    single = [as_json(sim, "run", "--set", "mitigation=stash", "--set", f"seed={s}",
                      *SMALL) for s in range(4)]
    losses = [s["final_loss"] for s in single]  # type: ignore[index,call-overload]
    assert stash["final_loss_values"] == pytest.approx(losses)
    assert stash["final_loss"] == pytest.approx(mean(losses))
    assert stash["final_loss_sd"] == pytest.approx(stdev(losses))
    half = 3.182446 * stdev(losses) / 2 / mean(losses)  # Student's t, of the logarithm
    assert stash["final_loss_ci95"] == pytest.approx(
        [mean(losses) * math.exp(-half), mean(losses) * math.exp(half)], rel=1e-6)
    assert stash["makespan_s_ci95"] == [stash["makespan_s"]] * 2
    far = [s["weight_distance"]["forward"][0] for s in single]  # type: ignore[index,call-overload]
    assert stash["weight_distance"]["forward"][0] == pytest.approx(mean(far))
    low, high = stash["weight_distance_ci95"]["forward"][0]
    assert low < mean(far) < high
    assert (first["versus"], first["paired"]) == (None, None)
    assert stash["versus"] == "none@round-robin"
    logs = [math.log(a / b) for a, b in zip(losses, first["final_loss_values"], strict=True)]
    pair = stash["paired"]["final_loss"]
    assert (pair["of"], stash["paired"]["accuracy"]["of"]) == ("ratio", "difference")
    assert math.log(pair["mean"]) == pytest.approx(mean(logs))
    assert math.log(pair["ci95"][1]) == pytest.approx(
        mean(logs) + 3.182446 * stdev(logs) / 2, rel=1e-6)
    assert 0 < pair["p"] < 1


def test_rows_are_paired_with_the_first_that_is_not_refused() -> None:
    rows = as_json(sim, "compare", "--mitigations", "timeprest,none,stash", *SMALL)
    assert isinstance(rows, list)
    assert [row["versus"] for row in rows] == [None, None, "none@round-robin"]
    systems = as_json(sim, "compare", "--systems", "gpipe,spectrain", *SMALL)
    assert set(systems[1]["paired"]) == {  # type: ignore[index]
        "final_loss", "accuracy", "seconds_to_target"}
    assert systems[1]["versus"] == "gpipe"  # type: ignore[index]


@pytest.mark.parametrize(("seeds", "said", "not_said"), [
    (1, "one seed", "against"), (2, "each seed's value", "±"), (3, "mean ± sd", "[9"),
    (4, "p of Student's paired t test", "…]")])
def test_how_much_is_said_depends_on_the_seeds(seeds: int, said: str, not_said: str) -> None:
    text = call(sim, "compare", "--mitigations", "none,stash", "--seeds", seeds, *SMALL).output
    assert said in " ".join(text.split())
    assert not_said not in text
