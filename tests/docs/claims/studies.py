"""Studies of single claims: NWPT's look-ahead, nF1B's order, three stages."""

from __future__ import annotations

from collections.abc import Iterator

from figures.pictures.studies import nesterov, shallow, slots
from sim.experiment.configuration import resolve
from sim.experiment.run import run
from sim.op import Op
from sim.spread import Paired
from tests.docs.claims import check
from tests.docs.claims.data import gallery, told


def nwpt(baseline: str, rate: float, minibatch: int) -> Paired:
    found = nesterov.against(gallery("nesterov"), baseline, rate, minibatch)
    assert found is not None
    return found


@check("claim-nwpt")
def claim() -> Iterator[str]:
    yield "0.02 50"
    yield told(nwpt("momentum", 0.02, 50))
    yield "200"
    yield told(nwpt("momentum", 0.02, 200))


@check("nwpt-plain")
def plain() -> Iterator[str]:
    yield "0.02 200"
    yield told(nwpt("plain SGD", 0.02, 200))


@check("nwpt-best")
def best() -> Iterator[str]:
    for method in ("nwpt", "momentum", "plain SGD"):
        rate, found = nesterov.at_best(gallery("nesterov"), method)
        yield f"{found.mean:.2g} {rate:g}"


@check("nwpt-early")
def early() -> Iterator[str]:
    """Gains on momentum: at every rate but the highest after 50, fewer later."""
    rates = nesterov.RATES
    found = {n: {rate: nwpt("momentum", rate, n) for rate in rates} for n in (50, 200)}
    apart = {n: [rate for rate, pair in pairs.items() if (pair.p or 1) < 0.05 and pair.mean < 1]
             for n, pairs in found.items()}
    assert apart[50] == list(rates[:-1])
    assert apart[200] == [0.2, 0.5]
    yield "50 0.5 200"


@check("slots-rates")
def rates() -> Iterator[str]:
    rows = gallery("slots")
    assert slots.STAGES == 8
    yield "7"
    for order in ("nF1B, slot order", "nF1B, greedy dispatch"):
        for other in ("round-robin", "GPipe"):
            yield f"{100 * slots.rate(rows, order, 7) / slots.rate(rows, other, 7):.0f}"


@check("slots-others")
def others() -> Iterator[str]:
    rows = gallery("slots")
    gain = {n: slots.rate(rows, "nF1B, greedy dispatch", n)
            / slots.rate(rows, "nF1B, slot order", n) for n in slots.MICROBATCHES}
    assert gain[4] < 1 < gain[7] < gain[14]
    assert gain[28] == 1
    yield "4 28"


@check("claim-version-formula")
def version_formula() -> Iterator[str]:
    assert list(version_difference())
    yield "2 8"


@check("claim-version-difference")
def version_difference() -> Iterator[str]:
    """The last stage's backward begins while how many mini-batches have not ended at the first."""
    differs = []
    for stages in range(2, 9):
        for n in range(2, 9):
            seen = difference(stages, n)
            assert seen == -(-stages // (n + 1)), (stages, n, seen)
            if seen != (stages + n - 2) // n:
                differs.append(f"({stages},{n})")
    assert len(differs) == 3
    yield " ".join(differs)
    yield "2 8"


def difference(stages: int, n: int) -> int:
    """Most mini-batches begun at the last stage's backwards and not yet ended at stage 0."""
    trace = run(resolve({"pipeline": {"schedule": "nf1b", "stages": stages, "minibatches": 24,
                                      "microbatches": n},
                         "costs": {"forward_s": 1.0, "backward_s": 1.0, "update_s": 0.0},
                         "training": {"task": "none"}}))
    backward = trace.op == Op.B
    starts = trace.start_s[backward & (trace.stage == stages - 1)]
    ends = trace.end_s[backward & (trace.stage == 0)]
    return max(int((starts[: i + 1] <= starts[i]).sum() - (ends <= starts[i]).sum())
               for i in range(8, len(starts) - 8))


@check("shallow-rates")
def three_stages() -> Iterator[str]:
    rows = gallery("shallow")
    assert shallow.STAGES == 3
    found = {rate: shallow.against(rows, rate) for rate in shallow.RATES}
    fine = [pair for rate, pair in found.items() if rate <= 0.2 and pair is not None]
    assert len(fine) == 3
    assert all((pair.p or 1) > 0.05 for pair in fine)
    yield f"0.2 {max(max(pair.values) for pair in fine):.3g}"
    for rate in (0.4, 0.6):
        pair = found[rate]
        assert pair is not None
        yield f"{rate} {told(pair)}"
    yield "0.6"


