"""Systems that never flush, each with its answer to stale weights."""

from typing import Any

from sim.errors import ConfigurationError, shown
from sim.experiment.systems import Common, Document, system


@system("vanilla-async", rule="asynchronous 1F1B, every pass on the latest weights",
        source="Chen et al. 2018 (SpecTrain), the baseline without any mitigation")
def vanilla_async(common: Common) -> Document:
    """Asynchronous 1F1B in round-robin order, without any mitigation."""
    return common.pipeline("round-robin")


@system("pipedream", rule="asynchronous 1F1B, a backward reads its forward's stashed weights",
        source="Narayanan et al. 2019 (PipeDream), weight stashing")
def pipedream(common: Common) -> Document:
    """Asynchronous 1F1B in round-robin order, with weight stashing."""
    return common.pipeline("round-robin", "stash")


@system("pipedream-hybrid",
        rule="PipeDream whose first stage has replicas, which take mini-batches in turn",
        source="Narayanan et al. 2019 (PipeDream), stage replication (1F1B-RR)",
        reading="as many neighbouring stages make one as it has replicas (replicas=2), so devices "
                "as the others have; a round's gradients are averaged, without scaling the rate",
        takes=("replicas",))
def pipedream_hybrid(common: Common, replicas: Any = 2) -> Document:
    """Asynchronous 1F1B with weight stashing, the first stage replicated.

    Raises ConfigurationError where there are not so many stages.
    """
    if type(replicas) is not int or not 1 <= replicas <= max(common.stages, 2):
        raise ConfigurationError([f"--systems: pipedream-hybrid has 1 to {common.stages} "
                                  f"replicas, got {shown(replicas)}"])
    first = min(replicas, common.stages)
    together = [first, *[1] * (common.stages - first)]
    return common.shallower(together, "hybrid", "stash", replicas=together)


@system("pipedream-vsync", rule="PipeDream where all stages read the version stage 0 had at entry",
        source="Narayanan et al. 2019 (PipeDream), vertical sync")
def pipedream_vsync(common: Common) -> Document:
    """Asynchronous 1F1B in round-robin order, with vertical sync."""
    return common.pipeline("round-robin", "vertical-sync")


@system("pipedream-2bw", rule="1F1B without flush, gradients of a ≥ S micro-batches accumulated, "
                              "two versions", source="Narayanan et al. 2021 (PipeDream-2BW)")
def pipedream_2bw(common: Common) -> Document:
    """Asynchronous 1F1B of accumulated micro-batches, on two buffered versions."""
    return common.pipeline("round-robin", "2bw", cut=True)


@system("spectrain", rule="asynchronous 1F1B, every pass on weights predicted s updates ahead",
        source="Chen et al. 2018 (SpecTrain), equations 4 to 6, horizons in time units")
def spectrain(common: Common) -> Document:
    """Asynchronous 1F1B in round-robin order, on SpecTrain's predicted weights."""
    return common.pipeline("round-robin", "spectrain")


@system("spectrain-stashed", rule="a forward predicts S−k−1 updates ahead, its backward reuses it",
        source="the SpecTrain authors' later variant")
def spectrain_stashed(common: Common) -> Document:
    """Asynchronous 1F1B where a backward reuses the weights its forward predicted."""
    return common.pipeline("round-robin", "spectrain-stashed")


@system("nwpt", rule="asynchronous 1F1B, every pass one Nesterov step ahead",
        source="NWPT (Nesterov look-ahead)",
        reading="the paper gives the steps, not the equation: W − η·γ·v")
def nwpt(common: Common) -> Document:
    """Asynchronous 1F1B in round-robin order, on weights one Nesterov step ahead."""
    return common.pipeline("round-robin", "nwpt")


@system("timeprest", rule="nF1B, a forward reads stage 0's version at entry, a backward the latest",
        source="TiMePReSt (secondary source)")
def timeprest(common: Common) -> Document:
    """The nF1B order, forwards on the version stage 0 had, backwards on the latest."""
    return common.pipeline("nf1b", "timeprest", cut=True, whole_backward=True)


@system("v-timeprest", rule="nF1B, one live version of each stage, every pass on the latest",
        source="V-TiMePReSt (abstract)", reading="the abstract's rule; needs S ≤ n + 1")
def v_timeprest(common: Common) -> Document:
    """The nF1B order with one live version a stage."""
    return common.pipeline("nf1b", "v-timeprest", cut=True, whole_backward=True)


@system("i-timeprest", rule="nF1B, a backward on a·stale + (1−a)·latest, a = e^(−λ·gap)",
        source="I-TiMePReSt (abstract and secondary source)", reading="λ = 1")
def i_timeprest(common: Common) -> Document:
    """The nF1B order, backwards on weights between the stale and the latest."""
    return common.pipeline("nf1b", "i-timeprest", cut=True, whole_backward=True)
