"""What is compared: schedules that both sides have, on two amounts of work."""

from __future__ import annotations

from dataclasses import dataclass, replace

from gpu.runtime.settings import RunSettings
from sim.experiment.configuration import resolve
from sim.experiment.options import Experiment

CHUNKS = {"gpipe": 1, "1f1b": 1, "interleaved": 2}  # stages a rank
LEARNING_RATE, MOMENTUM = 0.05, 0.9


@dataclass(frozen=True)
class Work:
    """A network, its images (pixels a side) and how a mini-batch of them is cut."""

    name: str
    model: str = "narrow"
    image_size: int = 32
    batch_size: int = 32
    microbatches: int = 4
    steps: int = 105
    dtype: str = "float32"

    @property
    def settings(self) -> RunSettings:
        return RunSettings(self.model, image_size=self.image_size, dtype=self.dtype)


@dataclass(frozen=True)
class Case:
    """One schedule on one amount of work, on so many ranks."""

    schedule: str
    work: Work
    ranks: int

    @property
    def name(self) -> str:
        return f"{self.schedule}_{self.work.name}"

    @property
    def stages(self) -> int:
        return self.ranks * CHUNKS[self.schedule]

    @property
    def experiment(self) -> Experiment:
        """The same as one experiment of ours: SGD with torch's momentum, nothing measured of
        weights."""
        return resolve({
            "pipeline": {"schedule": self.schedule, "stages": self.stages,
                         "chunks": CHUNKS[self.schedule], "minibatches": self.work.steps,
                         "microbatches": self.work.microbatches},
            "training": {"batch_size": self.work.batch_size, "learning_rate": LEARNING_RATE,
                         "momentum": MOMENTUM, "convention": "heavy-ball", "distances": False,
                         "seed": 1}})


SMALL = Work("small")
LARGE = Work("large", image_size=64, batch_size=64)  # some four times as much to compute


def cases(works: tuple[Work, ...], ranks: int, **changes: int | str) -> list[Case]:
    """Every schedule on every amount of work, changed as asked for."""
    return [Case(schedule, replace(work, **changes), ranks)  # type: ignore[arg-type]
            for work in works for schedule in CHUNKS]
