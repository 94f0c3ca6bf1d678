"""The systems' table and picture, and the papers' claims that are of whole systems."""

from __future__ import annotations

from collections.abc import Iterator
from statistics import mean

from figures.pictures.systems import DECAYS, EXPERIMENT, TARGET
from sim.experiment.configuration import read_experiment
from sim.spread import POSITIVE, SHARE, paired
from tests.docs.claims import check
from tests.docs.claims.data import gallery, mean_sd, published, told

ASYNCHRONOUS = ("spectrain", "spectrain-stashed", "nwpt", "pipedream-2bw")


def of(system: str, quantity: str) -> list[float]:
    """A quantity of a system, of every seed in order."""
    rows = [row for row in gallery("systems")
            if row["system"] == system and row["seed"] is not None]
    assert [row["seed"] for row in rows] == [0, 1, 2, 3, 4], system
    return [row[quantity] for row in rows]


def one(system: str, quantity: str) -> float:
    """A quantity on which seeds have no bearing."""
    values = set(of(system, quantity))
    assert len(values) == 1, (system, quantity, values)
    return float(values.pop())


def edge(system: str, reading: str = "stable_rate") -> float:
    return next(float(row[reading]) for row in gallery("systems")
                if row["system"] == system and row["seed"] is None)


def seconds(ours: str, theirs: str) -> str:
    return told(paired(of(ours, "seconds_to_target"), of(theirs, "seconds_to_target")), ".0f")


def ratio(ours: str, theirs: str, quantity: str = "final_loss") -> str:
    return told(paired(of(ours, quantity), of(theirs, quantity), POSITIVE))


def p_of(ours: str, theirs: str, quantity: str = "seconds_to_target") -> float:
    found = paired(of(ours, quantity), of(theirs, quantity)).p
    assert found is not None
    return found


def time_to_target(system: str) -> str:
    return mean_sd(of(system, "seconds_to_target"), ".0f")


def epochs(system: str) -> str:
    return mean_sd(of(system, "epochs_to_target"), ".1f")


def memory(system: str) -> str:
    return f"{one(system, 'peak_kB'):.0f}"


@check("systems-setting")
def setting() -> Iterator[str]:
    found = read_experiment(EXPERIMENT)
    t, c = found.training, found.costs
    assert (found.pipeline.stages, t.layers, t.convention) == (4, 8, "ema")
    yield f"{t.width} {t.batch_size} {found.pipeline.minibatches} {t.learning_rate} {t.momentum}"
    yield f"{c.forward_s:g} {c.backward_s:g} {c.update_s:g}"
    yield f"{found.cluster.bandwidth_bytes_per_s / 1e3:g}"


@check("systems-speed")
def speed() -> Iterator[str]:
    yield f"{one('spectrain', 'throughput') / one('megatron-interleaved', 'throughput'):.1f}"
    yield f"{100 * TARGET:g}"
    for system in ("gpipe", "megatron-1f1b", "megatron-interleaved", "data-parallel-strong"):
        assert epochs(system) == epochs("single-gpu")
    for system in ("single-gpu", "spectrain", "vanilla-async", "pipedream", "pipedream-vsync"):
        yield epochs(system)


@check("systems-first")
def first() -> Iterator[str]:
    interleaved = of("megatron-interleaved", "seconds_to_target")
    others = {row["system"] for row in gallery("systems")} - {"megatron-interleaved", "bmuf"}
    assert all(mean(interleaved) < mean(of(each, "seconds_to_target")) for each in others)
    yield time_to_target("megatron-interleaved")
    for system in ASYNCHRONOUS:
        yield time_to_target(system)
    for system in ASYNCHRONOUS:
        assert p_of("megatron-interleaved", system) > 0.05
        yield f"{p_of('megatron-interleaved', system):.2g}"


@check("systems-prediction")
def prediction() -> Iterator[str]:
    for system in ("spectrain", "nwpt"):
        for baseline in ("vanilla-async", "pipedream"):
            assert p_of(system, baseline) < 0.05
            yield seconds(system, baseline)


@check("systems-one-seed")
def one_seed() -> Iterator[str]:
    losses = sorted(of("spectrain", "final_loss"))
    assert losses[-1] > 10 * losses[-2]
    yield ratio("spectrain", "vanilla-async")
    yield f"{losses[-1]:.2g} {losses[-2]:.2g}"


@check("systems-stash")
def stash() -> Iterator[str]:
    yield seconds("pipedream", "vanilla-async")
    yield seconds("pipedream-vsync", "pipedream")


@check("systems-validation")
def validation() -> Iterator[str]:
    """None is told from a single device by its validation loss, nor SpecTrain by its accuracy."""
    found = [paired(of(system, "validation_loss"), of("single-gpu", "validation_loss"), POSITIVE).p
             for system in {row["system"] for row in gallery("systems")} - {"single-gpu"}]
    assert all(p is None or p > 0.05 for p in found)
    accuracy = paired(of("spectrain", "accuracy"), of("vanilla-async", "accuracy"), SHARE)
    assert accuracy.p is not None
    assert accuracy.p > 0.05
    return iter(())


@check("systems-parallel")
def parallel() -> Iterator[str]:
    for system in ("data-parallel", "data-parallel-scaled", "data-parallel-strong"):
        yield epochs(system)
    assert one("data-parallel-strong", "link_kB") > 4 * one("data-parallel", "link_kB") - 1
    for system in ("data-parallel", "data-parallel-scaled", "data-parallel-strong"):
        yield seconds("spectrain", system)


@check("systems-bmuf")
def bmuf() -> Iterator[str]:
    yield f"{mean(of('bmuf', 'final_loss')):.2g} {100 * mean(of('bmuf', 'accuracy')):.1f}"
    yield f"{edge('bmuf'):.0f}"
    yield ratio("bmuf", "data-parallel")
    yield seconds("bmuf", "data-parallel")


@check("systems-hetpipe")
def hetpipe() -> Iterator[str]:
    assert one("hetpipe", "devices") == one("pipedream", "devices")
    yield ratio("hetpipe", "pipedream")
    yield seconds("hetpipe", "pipedream")


@check("systems-edges")
def edges() -> Iterator[str]:
    decays = (DECAYS[0], DECAYS[1], "i-timeprest", DECAYS[2], DECAYS[3])
    assert len({f"{edge(each):.3g}" for each in decays}) == 1
    yield f"{edge('i-timeprest'):.2g}"
    for each, decay in zip(decays, ("0", "0.3", "1", "3", None), strict=True):
        yield f"{edge(each, 'stable_rate_recompute'):.3g} {decay or ''}"


@check("systems-decay")
def decay() -> Iterator[str]:
    found = [mean(of(each, "epochs_to_target")) for each in ("i-timeprest", *DECAYS)]
    yield f"{min(found):.1f} {max(found):.1f} 0 1"
    ps = [p_of(each, "i-timeprest", "epochs_to_target") for each in DECAYS]
    yield f"{min(ps):.2g}"
    assert min(ps) > 0.05


@check("claim-throughput")
def throughput() -> Iterator[str]:
    yield published("8.91")
    yield f"{one('spectrain', 'throughput') / one('data-parallel', 'throughput'):.1f}"


@check("claim-2bw")
def two_buffers() -> Iterator[str]:
    assert set(of("pipedream-2bw", "versions")) == {"2…2"}
    yield f"{memory('pipedream-2bw')} {memory('pipedream')}"
    yield ratio("pipedream-2bw", "pipedream")


@check("claim-timeprest-memory")
def timeprest() -> Iterator[str]:
    yield f"{memory('timeprest')} {memory('pipedream')}"
    yield seconds("timeprest", "pipedream")


@check("claim-i-timeprest-time")
def i_timeprest_time() -> Iterator[str]:
    ours, theirs = (mean(of(each, "seconds_to_target")) for each in ("i-timeprest", "timeprest"))
    yield published("15")
    yield f"{100 * (1 - ours / theirs):.0f}"
    assert all(a < b for a, b in zip(of("i-timeprest", "seconds_to_target"),
                                     of("timeprest", "seconds_to_target"), strict=True))
    yield seconds("i-timeprest", "timeprest")


@check("claim-v-timeprest")
def v_timeprest() -> Iterator[str]:
    assert set(of("v-timeprest", "versions")) == {"1…1"}
    yield f"{memory('v-timeprest')} {memory('timeprest')} {memory('pipedream')}"
    yield seconds("v-timeprest", "timeprest")


@check("systems-timeprest")
def family() -> Iterator[str]:
    yield seconds("i-timeprest", "v-timeprest")
    yield seconds("i-timeprest", "pipedream")
    yield f"{100 * (one('i-timeprest', 'throughput') / one('pipedream', 'throughput')):.0f}"
