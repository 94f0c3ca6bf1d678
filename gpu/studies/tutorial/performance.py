"""The seeds' experiments as one piece of work: split sizes timed, then NWPT's look-ahead."""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, fields, replace
from pathlib import Path
from time import perf_counter

import torch

from gpu.errors import DeviceError
from gpu.images.labelled import DataError
from gpu.lanes.devices import DeviceSpec, check_devices, parse_devices
from gpu.runtime.settings import RunSettings
from gpu.studies.tutorial.look_ahead import LEARNING_RATE, METHODS, Course, compare
from gpu.studies.tutorial.split_sizes import FULL, REDUCED, Places, SplitStudy, measure, rounds
from sim.errors import ConfigurationError
from sim.files.writing import check_folder
from sim.rows import Rows

SMALL = 32  # pixels a side of the images learnt from in the reduced setting


@dataclass(frozen=True)
class Asked:
    """The tutorial as the command line asked for it; None: as the setting has it.

    `learning_rate` is that of the training with and without NWPT, `within` the seconds after which
    no further repeat or seed is begun.
    """

    devices: str
    out: Path
    full: bool = False
    model: str | None = None
    image_size: int | None = None
    batch_size: int | None = None
    splits: str | None = None
    repeats: int | None = None
    epochs: int = 6
    seeds: int = 3
    data: str | None = None
    limit: int | None = None
    noise: float = 2.0
    threads: int = 1
    learning_rate: float | None = None
    graphs: str = "auto"
    within: float | None = None

    def setting(self) -> SplitStudy:
        """What to time: the tutorial's own or the reduced setting, changed as was asked.

        Raises ConfigurationError.
        """
        start = FULL if self.full else REDUCED
        batch = self.batch_size or start.batch_size
        splits = (tuple(s for s in start.splits if not batch % s) if self.splits is None
                  else parse_splits(self.splits))
        usual = start.shown * batch / start.batch_size
        return replace(start, model=self.model or start.model, batch_size=batch, splits=splits,
                       image_size=self.image_size or start.image_size,
                       repeats=self.repeats or start.repeats, graphs=self.graphs,
                       shown=min(splits, key=lambda split: abs(split - usual)))

    def course(self, setting: SplitStudy) -> Course:
        """What NWPT is tried on: the network that is timed, and small images unless `full`."""
        side = setting.image_size if self.full else min(setting.image_size, SMALL)
        return Course(RunSettings(setting.model, side, None if self.data else 10, data=self.data,
                                  limit=self.limit, noise=self.noise, graphs=self.graphs),
                      self.epochs, range(self.seeds),
                      learning_rate=self.learning_rate or LEARNING_RATE)


def parse_splits(text: str) -> tuple[int, ...]:
    """Split sizes of a text like `4,6,12`, ascending.  Raises ConfigurationError."""
    try:
        return tuple(sorted({int(part) for part in text.split(",")}))
    except ValueError:
        raise ConfigurationError([f"--splits: numbers separated by commas, got {text!r}"]
                                 ) from None


@dataclass(frozen=True)
class Tutorial:
    """The tutorial checked and ready to run: what to time, what to learn, on which devices."""

    setting: SplitStudy
    course: Course
    specs: Sequence[DeviceSpec]
    within_s: float = math.inf

    @property
    def reduced(self) -> bool:
        """Whether it is another network, batch, image or loss than the tutorial's.

        How often it is repeated, which splits are tried, and how stages are launched make no run
        smaller.
        """
        free = {"repeats", "splits", "shown", "graphs"}
        return any(getattr(self.setting, each.name) != getattr(FULL, each.name)
                   for each in fields(FULL) if each.name not in free)

    @property
    def rounds(self) -> int:
        """How often `perform` calls `done`."""
        return rounds(self.setting) + len(METHODS) * len(self.course.seeds)


@dataclass(frozen=True)
class Measured:
    """What the tutorial measured, rows of a file each: seconds by mode, curves by epoch, totals."""

    timing: Rows
    curves: Rows
    totals: Rows


def prepare(asked: Asked) -> Tutorial:
    """Check what was asked for; the tutorial ready to run.

    Arithmetic is left as torch has it, as in the tutorial; only the threads are set.  Raises
    ConfigurationError, DeviceError or OSError before anything runs.
    """
    torch.set_num_threads(asked.threads)
    specs = parse_devices(asked.devices)
    check_devices(specs, len(specs))
    if len(specs) < 2:
        raise DeviceError("a pipeline needs at least two devices: --devices cpu,cpu or "
                          "cuda:0,cuda:1 or cuda:0/2")
    check_folder(asked.out)
    setting = asked.setting()
    course = asked.course(setting)
    try:
        course.base(len(specs))
    except DataError as error:
        raise ConfigurationError([str(error)]) from None
    return Tutorial(setting, course, specs, asked.within or math.inf)


def perform(tutorial: Tutorial, done: Callable[[], None] = lambda: None) -> Measured:
    """Run all of it: the timing first, then the training.  `done` is called after each run.

    Of a limited time the first half is for the timing, all that is left for the training.
    """
    began = perf_counter()
    timing = measure(tutorial.setting, Places.of(tutorial.specs), done, tutorial.within_s / 2)
    left_s = tutorial.within_s - (perf_counter() - began)
    return Measured(timing, *compare(tutorial.course, tutorial.specs, done, left_s))
