"""Single device, model parallel and pipelined by split size: the PyTorch tutorial's timing.

Source: PyTorch tutorial "Single-Machine Model Parallel Best Practices" (Shen Li); the NWPT paper's
Figures 2.1 and 2.2 repeat it.
"""

from __future__ import annotations

import gc
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from time import process_time
from typing import Literal

from gpu.lanes.streams import Lane
from gpu.runtime.assembly import RunSettings, assemble
from gpu.runtime.run import run
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

    def __post_init__(self) -> None:
        odd = [split for split in self.splits if split < 1 or self.batch_size % split]
        if odd:
            raise ConfigurationError([f"--splits: a split size divides the batch of "
                                      f"{self.batch_size}, got {odd[0]}"])

    @property
    def settings(self) -> RunSettings:
        """The network, images and loss, for stages on real devices."""
        return RunSettings(self.model, self.image_size, self.classes, self.loss, dtype=self.dtype)


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


def modes(setting: SplitStudy) -> list[Mode]:
    """Every way to run that is timed, in the order of a round."""
    return [Mode("single"), Mode("model parallel"),
            *(Mode("pipelined", split) for split in setting.splits)]


def measure(setting: SplitStudy, lanes: Sequence[Lane], done: Callable[[], None] = lambda: None
            ) -> Rows:
    """Time every mode: rows of mode, split, repeat (from 1), seconds and the host's CPU seconds.

    In turns, so that a machine that slows down slows all of them; a first round is not counted.
    `done` is called after each run.
    """
    rows: Rows = []
    for repeat in range(setting.repeats + 1):
        for mode in modes(setting):
            gc.collect()  # a run's weights are in cycles: gone before the next one needs the room
            seconds, cpu_s = seconds_of(mode, setting, lanes)
            if repeat:
                rows.append({"mode": mode.kind, "split": mode.split, "repeat": repeat,
                             "seconds": seconds, "cpu_s": cpu_s})
            done()
    return rows


def seconds_of(mode: Mode, setting: SplitStudy, lanes: Sequence[Lane]) -> tuple[float, float]:
    """One run from first weights: its seconds, and this process's CPU seconds meanwhile.

    Making the network and its images is not timed.
    """
    experiment = mode.experiment(setting, len(lanes))
    if mode.kind == "single":
        single = Single(experiment, setting.settings, lanes[0])
        began = process_time()
        return single.train(), process_time() - began
    assembly = assemble(experiment, setting.settings, [lane.device for lane in lanes])
    began = process_time()
    trace = run(assembly, lanes, strict=False, evaluate=False)
    return float(trace.end_s.max()), process_time() - began


def rounds(setting: SplitStudy) -> int:
    """How often `measure` calls `done`: all modes, once more than there are repeats."""
    return (setting.repeats + 1) * len(modes(setting))


def column(rows: Rows, name: str, kind: Kind, split: int | None = None) -> Iterator[float]:
    """`seconds` or `cpu_s` of one mode, a value for each repeat."""
    return (row[name] for row in rows if (row["mode"], row["split"]) == (kind, split))
