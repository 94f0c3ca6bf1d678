"""What policies are worth while costs drift, from the gallery's rows."""

from __future__ import annotations

from collections.abc import Iterator

from figures.pictures.dynamic import drift
from figures.pictures.dynamic.drift import LOSS, ORDERS, RATE, SCENARIOS
from sim.spread import POSITIVE, Paired, paired
from tests.docs.claims import check
from tests.docs.claims.data import gallery, told


def over_static(scenario: str, order: str, policy: str, quantity: str = RATE) -> Paired:
    return drift.against(gallery("drift"), scenario, order, policy, quantity)


@check("drift-setting")
def setting() -> Iterator[str]:
    seeds = {row["seed"] for row in gallery("drift")}
    assert len(seeds) == 5
    yield f"{drift.STAGES} {drift.LAYERS} {drift.MINIBATCHES} {drift.EVERY}"
    assert SCENARIOS["window"]["stragglers"][0]["stage"] == 1
    yield "1"
    (window,), (trend,) = (SCENARIOS["window"]["stragglers"], SCENARIOS["trend"]["trends"])
    assert (window["from_s"], window["to_s"], trend["from_s"], trend["to_s"]) == (
        300, 600, 200, 800)
    yield f"{window['factor']:g} 300 600 {trend['factor']:g} 200 800"
    yield f"{drift.SMALL_NOISE['sigma']} {drift.NOISE['sigma']} {drift.DOUBT:g}"


@check("drift-recut")
def recut() -> Iterator[str]:
    for scenario in ("trend", "window"):
        for order in ORDERS:
            yield told(over_static(scenario, order, "recut"), ".3g")


@check("drift-noise")
def noise() -> Iterator[str]:
    found = over_static("noise", "asynchronous", "recut")
    changes = [row["changes"] for row in gallery("drift") if (
        row["scenario"], row["order"], row["policy"]) == ("noise", "asynchronous", "recut")]
    yield f"{min(changes):g} {max(changes):g}"
    yield told(found, ".3g")
    flushed = [row["changes"] for row in gallery("drift") if (
        row["scenario"], row["order"], row["policy"]) == ("noise", "flushed", "recut")]
    assert max(flushed) == 0


@check("drift-doubt")
def doubt() -> Iterator[str]:
    changes = [row["changes"] for row in gallery("drift") if (
        row["scenario"], row["order"], row["policy"]) == ("noise", "asynchronous", "doubting")]
    yield f"{min(changes):g} {max(changes):g}"
    yield told(over_static("noise", "asynchronous", "doubting"), ".3g")
    doubting, believing = (over_static("trend", "asynchronous", policy)
                           for policy in ("doubting", "recut"))
    yield told(paired(doubting.values, believing.values, POSITIVE), ".3g")


@check("drift-replan")
def replan() -> Iterator[str]:
    ways = {(scenario, order): over_static(scenario, order, "replan").mean
            for scenario in SCENARIOS for order in ORDERS}
    assert all(ratio == 1 for (_, order), ratio in ways.items() if order == "asynchronous")
    yield f"{100 * max(abs(ratio - 1) for ratio in ways.values()):.2g}"


@check("drift-greedy")
def greedy() -> Iterator[str]:
    found = [over_static(scenario, order, "greedy").mean for scenario in SCENARIOS
             for order in ORDERS]
    assert max(found) < 1
    yield f"{100 * (1 - max(found)):.2g} {100 * (1 - min(found)):.2g}"


@check("drift-losses")
def losses() -> Iterator[str]:
    for scenario in SCENARIOS:
        for policy in drift.OTHERS:
            assert over_static(scenario, "flushed", policy, LOSS).values == (1.0,) * 5
            found = over_static(scenario, "asynchronous", policy, LOSS)
            assert found.p is None or found.p > 0.05
    least = min(pair.p for scenario in SCENARIOS for policy in drift.OTHERS if (
        pair := over_static(scenario, "asynchronous", policy, LOSS)).p is not None)
    yield f"{least:.2g}"
