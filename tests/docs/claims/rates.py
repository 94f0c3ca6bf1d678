"""Eight stages over learning rates, and memory against epochs."""

from __future__ import annotations

from collections.abc import Iterator
from statistics import mean, median

from sklearn.datasets import load_digits

from figures.methods import BATCH, MINIBATCHES
from figures.pictures import epochs as picture
from figures.pictures import rates as picture_of_rates
from figures.pictures.rates import RATES
from sim.experiment.configuration import resolve
from sim.spread import POSITIVE, Paired, paired
from tests.docs.claims import check
from tests.docs.claims.data import gallery, mean_sd, published, told

SHOWN = 0.05  # the rate whose numbers are told, and of the other pictures of eight stages


def losses(method: str, rate: float, quantity: str = "final_loss") -> list[float]:
    found = [row for row in gallery("rates") if (row["method"], row["rate"]) == (method, rate)]
    assert [row["seed"] for row in found] == [0, 1, 2, 3, 4], method
    return [row[quantity] for row in found]


def against(ours: str, theirs: str, rate: float, quantity: str = "final_loss") -> Paired:
    return paired(losses(ours, rate, quantity), losses(theirs, rate, quantity), POSITIVE)


def separable(ours: str, theirs: str) -> list[float]:
    """The rates at which the paired test tells the two apart at p < 0.05."""
    found = [(rate, against(ours, theirs, rate).p) for rate in RATES]
    return [rate for rate, p in found if p is not None and p < 0.05]


def from_to(ours: str, theirs: str, form: str = ".2f") -> str:
    """The least and the greatest mean ratio over the rates."""
    found = [against(ours, theirs, rate).mean for rate in RATES]
    return f"{min(found):{form}} {max(found):{form}}"


def least_p(ours: str, theirs: str) -> float:
    return min(p for p in (against(ours, theirs, rate).p for rate in RATES) if p is not None)


@check("rates-setting")
def setting() -> Iterator[str]:
    images, classes = load_digits(return_X_y=True)
    t = resolve(picture_of_rates.base(RATES[0])).training
    assert (t.convention, picture_of_rates.STAGES) == ("ema", 8)
    yield f"{images.shape[1]} {t.width} {len(set(classes))} {len(images):,}"
    yield f"{BATCH} {MINIBATCHES} {t.momentum}"


@check("rates-prediction")
def prediction() -> Iterator[str]:
    assert separable("spectrain", "none") == list(RATES)
    yield from_to("spectrain", "none")
    yield f"{SHOWN} {told(against('spectrain', 'none', SHOWN))}"
    apart = separable("spectrain", "stash")
    assert apart == [0.02, 0.05, 0.07]
    yield from_to("spectrain", "stash")
    assert separable("spectrain", "spectrain-stashed") == []
    yield from_to("spectrain", "spectrain-stashed")


@check("rates-validation")
def validation() -> Iterator[str]:
    found = against("spectrain", "none", SHOWN, "validation_loss")
    yield f"{SHOWN} {told(found)}"


@check("rates-horizon")
def horizon() -> Iterator[str]:
    paper, update = "spectrain", "spectrain, horizon update"
    assert separable(paper, update) == []
    yield f"{least_p(paper, update):.2g}"
    mine, theirs = losses(update, SHOWN), losses("none", SHOWN)
    yield f"{max(mine):.2g} {SHOWN} {median(mine):.2g} {median(theirs):.2g}"


@check("rates-stash")
def stash() -> Iterator[str]:
    assert separable("stash", "none") == []
    yield f"{from_to('stash', 'none')} {least_p('stash', 'none'):.2g}"


@check("rates-vertical-sync")
def vertical_sync() -> Iterator[str]:
    assert separable("vertical-sync", "none") == list(RATES)
    yield from_to("vertical-sync", "none", ".2g")


@check("rates-interpolation")
def interpolation() -> Iterator[str]:
    assert separable("i-timeprest", "none") == separable("i-timeprest", "stash") == []
    yield f"{min(least_p('i-timeprest', other) for other in ('none', 'stash')):.2g}"


@check("rates-nwpt")
def nwpt() -> Iterator[str]:
    assert separable("nwpt", "none") == []
    yield f"{from_to('nwpt', 'none')} {least_p('nwpt', 'none'):.2g}"
    apart = separable("spectrain", "nwpt")
    assert apart == [0.01, 0.03, 0.05, 0.07]
    yield from_to("spectrain", "nwpt")


@check("rates-nf1b")
def nf1b() -> Iterator[str]:
    ours, plain = "i-timeprest, nF1B 7", "v-timeprest, nF1B 7"
    late = {row["method"]: row["value"] for row in gallery("staleness-8")
            if row["quantity"].startswith("version lag") and row["pass"] == "forward"
            and row["stage"] == 0}
    assert separable(ours, plain) == []
    yield f"7 {late[plain]:g} {late['none']:g}"
    yield f"{least_p(ours, plain):.2g}"


@check("rates-timeprest")
def timeprest() -> Iterator[str]:
    ours, theirs = "v-timeprest, nF1B 7", "timeprest, nF1B 7"
    assert separable(ours, theirs) == [0.03, 0.05, 0.07]
    yield "0.03 " + from_to(ours, theirs)


def over_seeds(method: str, quantity: str) -> list[float]:
    found = [row for row in gallery("epochs") if row["method"] == method]
    assert [row["seed"] for row in found] == [0, 1, 2, 3, 4], method
    return [row[quantity] for row in found]


def kilobytes(method: str) -> float:
    return mean(over_seeds(method, "peak_bytes")) / 1e3


def lam(decay: str) -> str:
    return f"i-timeprest λ={decay}, nF1B 7"


@check("epochs-decay")
def decay() -> Iterator[str]:
    found = {each: over_seeds(lam(each), "epochs") for each in picture.DECAYS}
    means = [mean(values) for values in found.values()]
    yield f"{100 * picture.TARGET:g} {min(means):.1f} {max(means):.1f}"
    ps = [paired(found[each], found["1.0"]).p for each in picture.DECAYS if each != "1.0"]
    known = [p for p in ps if p is not None]
    assert min(known) > 0.05
    yield f"1 {min(known):.2g}"


@check("epochs-memory")
def memory() -> Iterator[str]:
    between = {kilobytes(lam(each)) for each in ("0.1", "0.3", "1.0", "3.0")}
    assert len(between) == 1
    assert kilobytes(lam("inf")) == kilobytes("v-timeprest, nF1B 7")
    yield f"{between.pop():.0f} {kilobytes(lam('0.0')):.0f} 0"
    yield f"{kilobytes('timeprest, nF1B 7'):.0f} {kilobytes('v-timeprest, nF1B 7'):.0f}"


@check("epochs-memory-round-robin")
def memory_round_robin() -> Iterator[str]:
    yield f"{kilobytes('i-timeprest λ=1.0, round-robin'):.0f} {kilobytes('stash'):.0f}"


@check("epochs-timeprest")
def faster() -> Iterator[str]:
    ours = over_seeds(lam("1.0"), "epochs")
    theirs = over_seeds("timeprest, nF1B 7", "epochs")
    yield f"{mean_sd(ours, '.1f')} {mean_sd(theirs, '.1f')}"
    yield told(paired(ours, theirs), ".1f")


@check("claim-i-timeprest-memory")
def i_timeprest_memory() -> Iterator[str]:
    from tests.docs.claims import systems

    yield published("22")
    few = systems.one("i-timeprest", "peak_kB"), systems.one("pipedream", "peak_kB")
    many = kilobytes(lam("1.0")), kilobytes("stash")
    for ours, theirs in (few, many):
        yield f"{ours:.0f} {theirs:.0f} −{100 * (1 - ours / theirs):.0f}"
    yield systems.memory("timeprest")


@check("epochs-flushed")
def flushed() -> Iterator[str]:
    ours, theirs = over_seeds("GPipe 7", "seconds"), over_seeds("spectrain", "seconds")
    yield f"7 {100 * picture.TARGET:g}"
    yield f"{mean_sd(ours, '.0f')} {mean_sd(theirs, '.0f')}"
    yield told(paired(ours, theirs), ".0f")
