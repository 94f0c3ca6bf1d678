"""What the README says in short of what RESULTS says at length."""

from __future__ import annotations

from collections.abc import Iterator
from statistics import mean

from figures.pictures.rates import METHODS, RATES
from tests.docs.claims import check, learning, rates, systems
from tests.docs.claims.data import told


@check("readme-prediction")
def prediction() -> Iterator[str]:
    assert rates.separable("spectrain", "none") == list(RATES)
    assert list(learning.fluctuates())
    yield f"{rates.SHOWN} {told(rates.against('spectrain', 'none', rates.SHOWN))}"


@check("readme-stash")
def stash() -> Iterator[str]:
    assert rates.separable("stash", "none") == []
    for rate in RATES:
        worst = max(METHODS, key=lambda m: mean(rates.losses(m.label, rate)))
        assert worst.label == "vertical-sync"
    return iter(())


@check("readme-i-timeprest")
def i_timeprest() -> Iterator[str]:
    assert systems.p_of("i-timeprest", "timeprest") < 0.05
    assert systems.one("i-timeprest", "peak_kB") < systems.one("pipedream", "peak_kB")
    return iter(())


@check("readme-first")
def first() -> Iterator[str]:
    assert list(systems.first())
    return iter(())


@check("readme-long")
def long() -> Iterator[str]:
    assert list(rates.validation())
    yield next(iter(learning.long())).split()[0]
