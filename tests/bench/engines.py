"""Every engine beside bare SimPy and PyTorch's dry run: order, times and trace columns in memory.

Tasks are forwards and backwards.  Ours builds the program, checks it, adds times and versions and
fills every column; the rivals record nothing.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

from sim.experiment.configuration import resolve
from sim.experiment.options import Experiment
from sim.experiment.run import run
from sim.experiment.setup import VirtualSetup, generate
from sim.kernels.pairs import NUMBA, NUMPY, Kernels, installed
from sim.numerics.tasks import stream
from sim.order.program import Program
from sim.schedules import SCHEDULES
from sim.times.exact.timeline import timeline
from sim.times.replicas.blocks import Replica
from sim.times.replicas.replicate import replicate
from tests.bench.bare import LATENCY_S, CallbackLink, ProcessLink, bare
from tests.bench.dry_run import dry_run
from tests.bench.measure import Ratio, Sizes, in_turns, same

SMALL, LARGE = {"stages": 8, "minibatches": 1000}, {"stages": 16, "minibatches": 4000}
JITTER = {"jitter": {"sigma": 0.1}}
LINKS = {"latency_s": LATENCY_S, "boundary_bytes": 1e6, "bandwidth_bytes_per_s": 1e8}
LANES, TIMING_REPEATS, REPEATS, MICROBATCHES = 256, 7, 5, 16
PROGRAMS = ("1f1b", "gpipe", "interleaved", "nf1b", "round-robin", "sequential",
            "split")  # orders of every kind of stream, whose ratios are known


def asked(pipeline: dict[str, Any], cluster: dict[str, Any] | None = None, **costs: Any
          ) -> Experiment:
    return resolve({"pipeline": pipeline, "cluster": cluster or {"latency_s": LATENCY_S},
                    "costs": costs, "training": {"task": "none"}})


def recorded(pipeline: dict[str, Any], engine: str, cluster: dict[str, Any] | None = None,
             **costs: Any) -> Callable[[], float]:
    """Program, times, versions, staleness: every trace column in memory.  Gives the makespan."""
    experiment = asked(pipeline, cluster, **costs)
    return lambda: float(run(experiment, engine=engine).end_s.max())


def tasks_of(sizes: Sizes) -> int:
    return 2 * sizes["stages"] * sizes["minibatches"]


def rates(runs: dict[str, Callable[[], float]], tasks: dict[str, int], repeats: int, what: str
          ) -> dict[str, list[float]]:
    """Tasks a second of each side."""
    return {name: [tasks[name] / s for s in seconds]
            for name, seconds in in_turns(runs, repeats, what).items()}


def simpy_over_bare(sizes: Sizes, suffix: str = "") -> list[Ratio]:
    """The event-driven engine over both bare models, a process or a callback a message."""
    runs = {"simpy": recorded(sizes, "simpy"), "process": bare(sizes, ProcessLink),
            "callback": bare(sizes, CallbackLink)}
    same({name: once() for name, once in runs.items()}, 0.0)
    rate = rates(runs, dict.fromkeys(runs, tasks_of(sizes)), TIMING_REPEATS,
                 f"SimPy {sizes['stages']}x{sizes['minibatches']}")
    return [Ratio(f"simpy_over_bare{suffix}", rate["simpy"], rate["process"], "tasks/s", 1.5,
                  True),
            Ratio(f"simpy_over_bare_callback{suffix}", rate["simpy"], rate["callback"], "tasks/s",
                  1.0, True)]


def times_alone(sizes: Sizes) -> Callable[[], float]:
    """The compiled engine on a program that is there: its four columns of times."""
    experiment = asked(sizes)
    setup = VirtualSetup.of(experiment)
    return lambda: float(timeline(setup.program, setup.costs, setup.cluster, stream(0, "jitter"),
                                  kernels=NUMBA).end_s.max())


def exact_over_bare(sizes: Sizes) -> list[Ratio]:
    """The exact engine with and without jitter over bare SimPy."""
    runs = {"exact": recorded(sizes, "exact-periodic"), "process": bare(sizes, ProcessLink)}
    same({name: once() for name, once in runs.items()}, 0.0)
    runs["exact_jitter"] = recorded(sizes, "exact-plain", **JITTER)
    same({name: once() for name, once in {
        "exact": runs["exact_jitter"], "simpy": recorded(sizes, "simpy", **JITTER)}.items()}, 0.0)
    return over_bare(runs, {"exact": 15.0, "exact_jitter": 8.0}, sizes, "exact engine")


def compiled_over_bare(sizes: Sizes) -> list[Ratio]:
    """The compiled engine over bare SimPy: whole runs, times alone, and every kind of program."""
    if not installed():
        return []
    runs = {"compiled": recorded(sizes, "exact-compiled"),
            "compiled_times_alone": times_alone(sizes), "process": bare(sizes, ProcessLink)}
    same({name: once() for name, once in runs.items()}, 0.0)
    runs["compiled_jitter"] = recorded(sizes, "exact-compiled", **JITTER)
    same({name: once() for name, once in {
        "compiled": runs["compiled_jitter"],
        "simpy": recorded(sizes, "simpy", **JITTER)}.items()}, 0.0)
    runs |= {f"compiled_{name}": once for name, once in every_program(sizes).items()}
    return over_bare(runs, {name: 100.0 for name in runs if name != "process"}, sizes, "compiled")


def every_program(sizes: Sizes) -> dict[str, Callable[[], float]]:
    """Whole compiled runs of schedules, as many tasks in mini-batches of 16 micro-batches,
    jittered and over links that sizes matter to; and of messages as instructions."""
    found = {}
    for name in PROGRAMS:
        keys = {"schedule": name, "stages": sizes["stages"], "microbatches": MICROBATCHES,
                "minibatches": sizes["minibatches"] // MICROBATCHES,
                "chunks": 4 if SCHEDULES[name].chunks else 1}
        found[name.replace("-", "_")] = recorded(keys, "exact-compiled", LINKS, **JITTER)
    experiment = asked(sizes)
    lowered = generate(experiment).lower()

    def with_messages() -> float:
        program = Program.of(lowered.shape, lowered.rows, lowered.offsets,
                             NUMBA)  # checked every time
        return float(run(experiment, program, engine="exact-compiled").end_s.max())

    return found | {"messages": with_messages}


def over_bare(runs: dict[str, Callable[[], float]], aims: dict[str, float], sizes: Sizes,
              what: str) -> list[Ratio]:
    """Tasks a second of each run over bare SimPy's, `process`, taking turns."""
    rate = rates(runs, dict.fromkeys(runs, tasks_of(sizes)), TIMING_REPEATS,
                 f"{what} {sizes['stages']}x{sizes['minibatches']}")
    return [Ratio(f"{name}_over_bare", rate[name], rate["process"], "tasks/s", aim, True)
            for name, aim in aims.items()]


def replicas(sizes: Sizes, jittered: bool, kernels: Kernels = NUMPY) -> Callable[[], float]:
    """256 replicas, by seeds or by costs, the program built once.  Gives the last's makespan."""
    experiment = asked(sizes, **(JITTER if jittered else {}))
    setup = VirtualSetup.of(experiment)
    costs, cluster = setup.costs, setup.cluster

    def together() -> float:
        each = [costs if jittered else replace(costs, forward_s=costs.forward_s * (2 - i / LANES))
                for i in range(1, LANES + 1)]
        several = [Replica(c, cluster, stream(LANES - i, "jitter")) for i, c in enumerate(each, 1)]
        found = replicate(generate(experiment, kernels), several, kernels=kernels)
        return float(found.makespan_s[-1])

    return together


def replicas_over_bare(sizes: Sizes, kernels: Kernels) -> list[Ratio]:
    """Tasks of all replicas a second, over bare SimPy's."""
    if kernels.compiled and not installed():
        return []
    name = "replicas" if kernels.compiled else "replicas_numpy"
    runs = {"jitter": replicas(sizes, True, kernels),
            "constant": replicas(sizes, False, kernels), "process": bare(sizes, ProcessLink)}
    same({"single": recorded(sizes, "simpy")(), "last": runs["constant"]()}, 0.0)
    same({"single": recorded(sizes, "simpy", **JITTER)(), "last": runs["jitter"]()}, 0.0)
    tasks = dict.fromkeys(runs, LANES * tasks_of(sizes)) | {"process": tasks_of(sizes)}
    rate = rates(runs, tasks, REPEATS, f"{LANES} {name}")
    return [Ratio(f"{name}_jitter_over_bare", rate["jitter"], rate["process"], "tasks/s", 250.0,
                  True),
            Ratio(f"{name}_over_bare", rate["constant"], rate["process"], "tasks/s", 800.0, True)]


def exact_over_torch(sizes: Sizes) -> list[Ratio]:
    """Order, lowering, times and columns of one 1F1B mini-batch, over PyTorch's dry run of it."""
    rival = dry_run(sizes)
    if rival is None:
        return []
    experiment = resolve({
        "pipeline": {"schedule": "1f1b", "stages": sizes["stages"], "minibatches": 1,
                     "microbatches": sizes["minibatches"]}, "training": {"task": "none"}})

    def lowered() -> float:
        trace = run(experiment, generate(experiment).lower(), engine="exact-periodic")
        return float(len(trace) - sizes["stages"])  # its updates are no action of PyTorch's

    runs = {"ours": lowered, "torch": rival}
    same({name: once() for name, once in runs.items()}, 0.0)
    rate = rates(runs, dict.fromkeys(runs, tasks_of(sizes)), REPEATS, "PyTorch's dry run")
    return [Ratio("exact_over_torch", rate["ours"], rate["torch"], "tasks/s", 30.0, True)]
