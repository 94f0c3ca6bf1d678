"""How large a pipeline is, and how it is laid out on devices and workers."""

from __future__ import annotations

from dataclasses import dataclass, replace


@dataclass(frozen=True, slots=True)
class PipelineShape:
    """How large a pipeline and its run are.

    It has `stages`, `chunks` of them on each device, and does `minibatches` of `microbatches`
    micro-batches each.  A worker is a pipeline of its own with a copy of every stage; `minibatches`
    counts those of all workers together, which take them in turn.  `in_flight` bounds the
    mini-batches a worker has under way, where a schedule lets it (None: as many as the schedule
    has).
    """

    stages: int
    minibatches: int
    microbatches: int = 1
    chunks: int = 1
    workers: int = 1
    in_flight: int | None = None

    def __post_init__(self) -> None:
        for name in ("stages", "minibatches", "microbatches", "chunks", "workers"):
            if getattr(self, name) < 1:
                raise ValueError(f"{name} is at least 1, got {getattr(self, name)}")
        if self.stages % self.chunks:
            raise ValueError(f"chunks divides stages, got {self.stages} by {self.chunks}")
        if self.minibatches % self.workers:
            raise ValueError("workers take equally many mini-batches, got "
                             f"{self.minibatches} for {self.workers} workers")
        if self.in_flight is not None and self.in_flight < 1:
            raise ValueError(f"in_flight is at least 1, got {self.in_flight}")

    @property
    def devices(self) -> int:
        """Devices of all workers together."""
        return self.worker_devices * self.workers

    @property
    def worker_devices(self) -> int:
        """Devices of one worker."""
        return self.stages // self.chunks

    @property
    def of_worker(self) -> PipelineShape:
        """The shape of one worker's own pipeline."""
        return replace(self, minibatches=self.minibatches // self.workers, workers=1)

    def as_dict(self) -> dict[str, int]:
        """The fields by name, as JSON has them; workers and `in_flight` only where they are set."""
        later = {"workers": self.workers if self.workers > 1 else None,
                 "in_flight": self.in_flight}
        return {"stages": self.stages, "minibatches": self.minibatches,
                "microbatches": self.microbatches, "chunks": self.chunks,
                **{name: value for name, value in later.items() if value is not None}}

    @property
    def total(self) -> int:
        """Micro-batches of the whole run."""
        return self.minibatches * self.microbatches
