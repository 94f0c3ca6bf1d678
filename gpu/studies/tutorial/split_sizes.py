"""Single device, model parallel and pipelined by split size: the PyTorch tutorial's timing.

Source: PyTorch tutorial "Single-Machine Model Parallel Best Practices" (Shen Li); the NWPT paper's
Figures 2.1 and 2.2 repeat it.
"""

from __future__ import annotations

import gc
import math
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from time import perf_counter, process_time
from typing import Any, Literal

from gpu.lanes.devices import DeviceSpec, open_lanes
from gpu.lanes.streams import Lane
from gpu.runtime.assembly import Assembly, assemble
from gpu.runtime.run import run
from gpu.runtime.settings import RunSettings
from gpu.studies.tutorial.single import Single
from sim.errors import ConfigurationError
from sim.experiment.configuration import resolve
from sim.experiment.options import Experiment
from sim.rows import Rows

Kind = Literal["single", "model parallel", "pipelined"]


@dataclass(frozen=True)
class SplitStudy:
    """What is timed: `minibatches` training steps of a network in every split, `repeats` times.

    `splits` are images per micro-batch; `shown` is the one in the bars.  Plain SGD, momentum 0.
    `graphs` says whether stages are captured, as in `RunSettings`; the single device never is.
    Raises ConfigurationError for a split that does not divide the batch.
    """

    model: str
    image_size: int
    classes: int
    batch_size: int = 120
    minibatches: int = 3
    repeats: int = 10
    splits: tuple[int, ...] = (1, 3, 5, 8, 10, 12, 20, 40, 60)
    shown: int = 20
    learning_rate: float = 1e-3
    loss: str = "mse"
    dtype: str = "float32"
    seed: int = 0
    graphs: str = "auto"

    def __post_init__(self) -> None:
        odd = [split for split in self.splits if split < 1 or self.batch_size % split]
        if odd:
            raise ConfigurationError([f"--splits: a split size divides the batch of "
                                      f"{self.batch_size}, got {odd[0]}"])

    @property
    def settings(self) -> RunSettings:
        """The network, images and loss, for stages on real devices."""
        return RunSettings(self.model, self.image_size, self.classes, self.loss, dtype=self.dtype,
                           graphs=self.graphs)


FULL = SplitStudy("resnet50", 128, 1000)
REDUCED = SplitStudy("narrow", 128, 10, repeats=5)


@dataclass(frozen=True)
class Mode:
    """A way to run the training steps: on one device, model parallel, or pipelined.

    `split` is the number of images of a micro-batch where pipelined, else None.
    """

    kind: Kind
    split: int | None = None

    def experiment(self, setting: SplitStudy, stages: int) -> Experiment:
        """The experiment that runs it: `gpipe` where it is pipelined, else `sequential`."""
        count = setting.batch_size // self.split if self.split else 1
        return resolve({
            "pipeline": {"stages": stages, "minibatches": setting.minibatches,
                         "microbatches": count,
                         "schedule": "gpipe" if self.split else "sequential"},
            "training": {"batch_size": setting.batch_size, "momentum": 0.0,
                         "convention": "heavy-ball", "learning_rate": setting.learning_rate,
                         "distances": False, "seed": setting.seed}})

Kept = dict[Mode, Assembly]


def modes(setting: SplitStudy) -> list[Mode]:
    """Every way to run that is timed, in the order of a round."""
    return [Mode("single"), Mode("model parallel"),
            *(Mode("pipelined", split) for split in setting.splits)]


@dataclass(frozen=True)
class Places:
    """Where it runs: a stage on each of `lanes`, and the whole network on `single`."""

    lanes: Sequence[Lane]
    single: Lane

    @classmethod
    def of(cls, specs: Sequence[DeviceSpec]) -> Places:
        """The lanes of these devices; the single one is the first, all of it where it is a part
        of a GPU: a plain stream."""
        return cls(open_lanes(specs), open_lanes([whole(specs[0])])[0])


def whole(spec: DeviceSpec) -> DeviceSpec:
    """The device that this one is, or that it is a part of."""
    return replace(spec, part=0, parts=1)


def measure(setting: SplitStudy, places: Places, done: Callable[[], None] = lambda: None,
            within_s: float = math.inf) -> Rows:
    """Time every mode: rows of mode, split, repeat (from 1), seconds and the host's CPU seconds.

    In turns, so that a machine that slows down slows all of them; a first round is not counted.
    Two rounds are always done, another only where the longest so far would still fit into
    `within_s` seconds.  `done` is called after each run.
    """
    rows: Rows = []
    kept: Kept = {}
    began, longest = perf_counter(), 0.0
    for repeat in range(setting.repeats + 1):
        start = perf_counter()
        if repeat > 1 and start - began + longest > within_s:
            break
        for mode in modes(setting):
            gc.collect()  # a run's weights are in cycles: gone before the next one needs the room
            timed = seconds_of(mode, setting, places, kept)
            if repeat:
                rows.append({"mode": mode.kind, "split": mode.split, "repeat": repeat, **timed})
            done()
        longest = max(longest, perf_counter() - start)
    return rows


def seconds_of(mode: Mode, setting: SplitStudy, places: Places, kept: Kept) -> dict[str, Any]:
    """One run from first weights: its `seconds`, this process's CPU seconds meanwhile (`cpu_s`),
    and whether its stages were captured (`graphs`).

    Making the network, its images and recordings is not timed; `kept` are those of earlier runs.
    """
    experiment = mode.experiment(setting, len(places.lanes))
    if mode.kind == "single":
        single = Single(experiment, setting.settings, places.single)
        began = process_time()
        return {"seconds": single.train(), "cpu_s": process_time() - began, "graphs": False}
    assembly = assemble(experiment, setting.settings, [lane.device for lane in places.lanes],
                        like=kept.get(mode))
    trace = run(assembly, places.lanes, strict=False, evaluate=False)
    if all(lane.roomy() for lane in places.lanes):
        kept[mode] = assembly
    gpu = trace.header.measured()
    return {"seconds": float(trace.end_s.max()), "cpu_s": gpu.extra["cpu_s"],
            "graphs": bool(gpu.graphs)}


def rounds(setting: SplitStudy) -> int:
    """How often `measure` calls `done`: all modes, once more than there are repeats."""
    return (setting.repeats + 1) * len(modes(setting))


def column(rows: Rows, name: str, kind: Kind, split: int | None = None) -> Iterator[float]:
    """`seconds` or `cpu_s` of one mode, a value for each repeat."""
    return (row[name] for row in rows if (row["mode"], row["split"]) == (kind, split))
