"""`python -m tests.bench`: what recording every version costs, as ratios taken in one run.

The last row alone is no ratio: the steady-state solver's time, against its limit.

Each ratio is ours over a plain program of the same work, written below as a user of SimPy or of
NumPy would; it is checked first that both do the same work.  The sides take turns (A B C A B C …)
so that a noisy machine is noisy for all, times are CPU seconds of this process on one thread, and
a ratio is that of the medians.  Prints a table and writes `bench.json` here; a missed target is
marked, never an error.
"""

from __future__ import annotations

import gc
import json
import math
import os
import platform
import statistics
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import simpy
from rich.console import Console
from rich.progress import track
from rich.table import Table
from threadpoolctl import threadpool_limits

from analysis.steady import steady_state
from sim.configuration import Experiment, make_mitigation, resolve
from sim.experiment import run
from sim.instruction import Op
from sim.numeric import Task
from sim.schedules import SCHEDULES
from sim.setup import cost_model, make_cluster, make_stages, make_task, stage_sizes
from sim.training import train
from sim.validate import execution_order
from sim.versions import VersionPlan

Sizes = dict[str, int]
SMALL, LARGE = {"stages": 8, "minibatches": 1000}, {"stages": 16, "minibatches": 4000}
LATENCY_S = 0.25
TRAINED = {"stages": 8, "minibatches": 1000}
CHECKED = {"stages": 8, "minibatches": 50}
SOLVED = {"stages": 64, "minibatches": 134}
TIMING_REPEATS, TRAINING_REPEATS, SOLVER_REPEATS = 7, 15, 15


# --- timing: our engine with everything recorded, and two bare SimPy models ------------------


def recorded(sizes: Sizes) -> Callable[[], float]:
    """Program, times, versions, staleness: every trace column in memory.  Gives the makespan."""
    experiment = resolve({"pipeline": sizes, "cluster": {"latency_s": LATENCY_S},
                          "training": {"task": "none"}})
    return lambda: float(run(experiment).end_s.max())


class ProcessLink:
    """A connection with latency: a process a message.  Source: SimPy documentation, "Event
    Latency"."""

    def __init__(self, env: simpy.Environment) -> None:
        self.env, self.store = env, simpy.Store(env)

    def latency(self, value: int) -> Iterator[Any]:
        yield self.env.timeout(LATENCY_S)
        self.store.put(value)

    def put(self, value: int) -> None:
        self.env.process(self.latency(value))

    def get(self) -> Any:
        return self.store.get()


class CallbackLink(ProcessLink):
    """The same with a timeout and its callback a message."""

    def put(self, value: int) -> None:
        arrival = self.env.timeout(LATENCY_S)
        arrival.callbacks.append(lambda _: self.store.put(value))


def turns(stage: int, stages: int, minibatches: int) -> Iterator[tuple[str, int]]:
    """Forwards ahead, then backward and forward in turn, never a flush."""
    ahead = min(stages - stage, minibatches)
    for i in range(ahead):
        yield "forward", i
    for i in range(minibatches):
        yield "backward", i
        if i + ahead < minibatches:
            yield "forward", i + ahead


def bare(sizes: Sizes, link: type[ProcessLink]) -> Callable[[], float]:
    """A process a stage, a link each way between neighbours, nothing recorded."""
    stages, minibatches = sizes["stages"], sizes["minibatches"]

    def model() -> float:
        env = simpy.Environment()
        activations, gradients = ([link(env) for _ in range(stages)] for _ in range(2))

        def stage(k: int) -> Iterator[Any]:
            for task, i in turns(k, stages, minibatches):
                if task == "forward":
                    if k > 0:
                        yield activations[k].get()
                    yield env.timeout(1.0)
                    if k < stages - 1:
                        activations[k + 1].put(i)
                else:
                    if k < stages - 1:
                        yield gradients[k].get()
                    yield env.timeout(1.0)
                    if k > 0:
                        gradients[k - 1].put(i)

        for k in range(stages):
            env.process(stage(k))
        env.run()
        return float(env.now)

    return model


# --- training: through a pipeline of stages, and in a straight line ---------------------------


def trained(experiment: Experiment, task: Task) -> Callable[[], float]:
    """Program, versions, stages, training, distances where measured.  Gives the final loss."""
    def pipeline() -> float:
        schedule = experiment.pipeline.schedule
        program = SCHEDULES[schedule].program(experiment.shape)
        plan = VersionPlan.of(program, make_mitigation("none"), schedule)
        stages = make_stages(experiment, plan, task)
        result = train(execution_order(program), stages, task, program)
        if experiment.training.distances:
            for stage in stages:
                stage.distances(Op.F), stage.distances(Op.B)
        return result.final.final_loss

    return pipeline


def straight_line(experiment: Experiment, task: Task) -> Callable[[], float]:
    """The same mini-batches through the same layers, SGD with EMA momentum, no pipeline."""
    eta, gamma = experiment.training.learning_rate, experiment.training.momentum
    outputs = [model.sizes[-1] for model in task.models]

    def loop() -> float:
        layers = [(w[:-o].reshape(-1, o).copy(), w[-o:].copy())
                  for w, o in zip(task.weights, outputs, strict=True)]
        velocities = [(np.zeros_like(w), np.zeros_like(b)) for w, b in layers]
        losses = []
        for i in range(experiment.pipeline.minibatches):
            loss, gradients = loss_and_gradients(layers, task.inputs(i), task.target(i))
            losses.append(loss)
            for (w, b), (vw, vb), (gw, gb) in zip(layers, velocities, gradients, strict=True):
                vw *= gamma  # noqa: PLW2901 - in place is the point
                vw += (1 - gamma) * gw  # noqa: PLW2901
                w -= eta * vw  # noqa: PLW2901
                vb *= gamma  # noqa: PLW2901
                vb += (1 - gamma) * gb  # noqa: PLW2901
                b -= eta * vb  # noqa: PLW2901
        return task.evaluate([np.concatenate([w.ravel(), b]) for w, b in layers]).final_loss

    return loop


def loss_and_gradients(layers: list[tuple[Any, Any]], x: Any, target: Any
                       ) -> tuple[float, list[tuple[Any, Any]]]:
    """Mean cross-entropy of a ReLU perceptron and its gradients, layer by layer."""
    rows, inputs = np.arange(len(target)), []
    for number, (w, b) in enumerate(layers, 1):
        inputs.append(x)
        x = x @ w
        x += b
        if number < len(layers):
            np.maximum(x, 0.0, out=x)
    p = np.exp(x - x.max(axis=1, keepdims=True))
    p /= p.sum(axis=1, keepdims=True)
    loss = float(-np.log(p[rows, target]).mean())
    p[rows, target] -= 1.0
    g = p / len(target)
    gradients = []
    for number in range(len(layers) - 1, -1, -1):
        gradients.append((inputs[number].T @ g, g.sum(axis=0)))
        if number:
            g = g @ layers[number][0].T
            g *= inputs[number] > 0
    return loss, gradients[::-1]


# --- measuring and saying ---------------------------------------------------------------------


@dataclass(frozen=True)
class Ratio:
    """Ours over theirs, every repeat of both; a rate shall be `at_least` the target, else below."""

    name: str
    ours: list[float]
    theirs: list[float]
    unit: str
    target: float
    at_least: bool

    @property
    def value(self) -> float:
        return statistics.median(self.ours) / statistics.median(self.theirs)

    @property
    def meets(self) -> bool:
        return self.value >= self.target if self.at_least else self.value <= self.target

    def document(self) -> dict[str, Any]:
        return {"ratio": self.value, "ours": statistics.median(self.ours),
                "theirs": statistics.median(self.theirs), "unit": self.unit,
                "repeats": len(self.ours), "target": self.target,
                "bound": "at least" if self.at_least else "at most", "meets_target": self.meets,
                "ours_repeats": self.ours, "theirs_repeats": self.theirs}


@dataclass(frozen=True)
class Took:
    """Something of ours alone, against a limit that it shall not pass."""

    name: str
    ours: list[float]
    unit: str
    target: float
    at_least: bool = False

    @property
    def value(self) -> float:
        return statistics.median(self.ours)

    @property
    def meets(self) -> bool:
        return self.value <= self.target

    def document(self) -> dict[str, Any]:
        return {"value": self.value, "unit": self.unit, "repeats": len(self.ours),
                "target": self.target, "bound": "at most", "meets_target": self.meets,
                "ours_repeats": self.ours}


def in_turns(runs: dict[str, Callable[[], float]], repeats: int, what: str
             ) -> dict[str, list[float]]:
    """CPU seconds of each run, taking turns; the first round is for warming up."""
    seconds: dict[str, list[float]] = {name: [] for name in runs}
    for _ in track(range(repeats + 1), what, console=Console(stderr=True), transient=True):
        for name, once in runs.items():
            gc.collect()
            start = time.process_time()
            once()
            seconds[name].append(time.process_time() - start)
    return {name: values[1:] for name, values in seconds.items()}


def same(results: dict[str, float], tolerance: float) -> None:
    """Refuse to compare programs that do different work."""
    first = next(iter(results.values()))
    if not all(math.isclose(first, each, rel_tol=tolerance) for each in results.values()):
        raise SystemExit(f"the programs to compare do different work: {results}")


def timing_ratios(sizes: Sizes, suffix: str = "") -> list[Ratio]:
    """Tasks (forwards and backwards) a second of our engine over the bare models'."""
    runs = {"ours": recorded(sizes), "process": bare(sizes, ProcessLink),
            "callback": bare(sizes, CallbackLink)}
    same({name: once() for name, once in runs.items()}, 0.0)
    tasks = 2 * sizes["stages"] * sizes["minibatches"]
    what = f"timing {sizes['stages']}x{sizes['minibatches']}"
    rate = {name: [tasks / s for s in seconds]
            for name, seconds in in_turns(runs, TIMING_REPEATS, what).items()}
    return [Ratio(f"simpy_over_bare{suffix}", rate["ours"], rate["process"], "tasks/s", 1.5, True),
            Ratio(f"simpy_over_bare_callback{suffix}", rate["ours"], rate["callback"], "tasks/s",
                  1.0, True)]


def training_ratios() -> list[Ratio]:
    """Seconds of a training through the pipeline over the straight line's, and of distances."""
    def experiment(sizes: Sizes, **keys: Any) -> tuple[Experiment, Task]:
        pipeline = {**sizes, "schedule": keys.pop("schedule", "round-robin")}
        found = resolve({"pipeline": pipeline, "training": keys})
        task = make_task(found)
        assert task is not None
        return found, task

    check = experiment(CHECKED, schedule="sequential")
    same({"pipeline": trained(*check)(), "straight": straight_line(*check)()}, 1e-9)
    off = experiment(TRAINED, distances=False)
    runs = {"off": trained(*off), "straight": straight_line(*off),
            "on": trained(*experiment(TRAINED, distances=True))}
    seconds = in_turns(runs, TRAINING_REPEATS, "training")
    return [Ratio("training_overhead", seconds["off"], seconds["straight"], "s", 1.5, False),
            Ratio("distances_overhead", seconds["on"], seconds["off"], "s", 1.1, False)]


def solver_time(sizes: Sizes) -> Took:
    """Milliseconds from a schedule to its critical cycle, every stage and link its own."""
    rng, stages = np.random.default_rng(0), sizes["stages"]
    experiment = resolve({
        "pipeline": sizes, "training": {"task": "none"},
        "costs": {key: rng.uniform(0.5, 2.0, stages).tolist()
                  for key in ("forward_s", "backward_s", "update_s")},
        "cluster": {"latency_s": LATENCY_S, "bandwidth_bytes_per_s": 10.0,
                    "boundary_bytes": rng.uniform(1.0, 9.0, stages - 1).tolist()}})
    costs = cost_model(experiment, None)
    cluster = make_cluster(experiment, None, stage_sizes(experiment, None, None))

    def solve() -> float:
        found = steady_state(SCHEDULES["round-robin"].program(experiment.shape), costs,
                             cluster)
        assert found is not None
        return found.period_s

    seconds = in_turns({"ours": solve}, SOLVER_REPEATS, "solving")["ours"]
    return Took("solver_ms", [1000 * each for each in seconds], "ms", 50.0)


def machine() -> dict[str, Any]:
    """What the numbers were taken on."""
    import sklearn

    cpu = platform.processor()
    if os.path.exists("/proc/cpuinfo"):
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
        cpu = next((x.split(":", 1)[1].strip() for x in lines if x.startswith("model name")), cpu)
    return {"cpu": cpu, "cores": os.cpu_count(), "system": platform.platform(),
            "python": platform.python_version(), "numpy": np.__version__,
            "simpy": simpy.__version__, "scikit-learn": sklearn.__version__, "blas_threads": 1,
            "clock": "CPU seconds of the process", "load_average": os.getloadavg()[0]}


def table(ratios: list[Ratio | Took]) -> Table:
    """Ratios (or what was taken) first, then what they are made of."""
    shown = Table("benchmark", "ratio", "target", "", "ours", "theirs", "unit", "repeats")
    for each in ratios:
        sides = (each.ours, getattr(each, "theirs", None))
        medians = (statistics.median(values) if values else None for values in sides)
        shown.add_row(each.name, f"[bold]{each.value:.2f}[/]",
                      f"{'≥' if each.at_least else '≤'} {each.target:.2f}",
                      "[green]meets[/]" if each.meets else "[bold red]misses target[/]",
                      *("–" if m is None else f"{m:,.0f}" if each.unit == "tasks/s"
                        else f"{m:.4f}" for m in medians),
                      each.unit, str(len(each.ours)))
    return shown


def main() -> None:
    with threadpool_limits(1):
        ratios: list[Ratio | Took] = [
            *timing_ratios(LARGE), *timing_ratios(SMALL, "_8x1000"), *training_ratios(),
            solver_time(SOLVED)]
    found = machine()
    document = {**{each.name: each.document() for each in ratios}, "machine": found}
    path = Path(__file__).parents[1] / "bench.json"
    path.write_text(json.dumps(document, indent=2) + "\n", encoding="utf-8")
    console = Console(width=None if sys.stdout.isatty() else 110)
    console.print(table(ratios))
    console.print(", ".join(f"{key} {value}" for key, value in found.items()), highlight=False)
    console.print(f"written: {path}", highlight=False)


if __name__ == "__main__":
    main()
