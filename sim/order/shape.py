"""How large a pipeline is, and how it is laid out on devices and workers."""

from __future__ import annotations

from dataclasses import dataclass, replace

MOST_RANKS = 65_536  # devices of one worker: beyond, a mistyped number would only fill the memory
OPTIONS = ("in_flight", "ranks", "replicas", "warmup", "round_size", "splits",
           "last_microbatches")  # what only some schedules or programs have


@dataclass(frozen=True, slots=True)
class PipelineShape:
    """How large a pipeline and its run are.

    It has `stages`, `chunks` of them on each device, and does `minibatches` of `microbatches`
    micro-batches each.  A worker is a pipeline of its own with a copy of every stage; `minibatches`
    counts those of all workers together, which take them in turn.

    What is left as None is as the schedule has it:

    - `in_flight` bounds the mini-batches a worker has under way;
    - `ranks` is how many devices a worker has, where that is not stages / chunks: devices may hold
      unequal numbers of stages, and a stage may have several homes;
    - `replicas` are the homes of each stage, (stages,), where a schedule replicates stages; they
      take mini-batches in turn, each on a device of its own;
    - `warmup` are the forwards that the first device does before its first backward;
    - `round_size` are the micro-batches of a round, after which the next chunk has its turn;
    - `splits` are the pieces of a sequence that are consecutive micro-batches;
    - `last_microbatches` are those of the last mini-batch, where it is smaller than the others.
    """

    stages: int
    minibatches: int
    microbatches: int = 1
    chunks: int = 1
    workers: int = 1
    in_flight: int | None = None
    ranks: int | None = None
    replicas: tuple[int, ...] | None = None
    warmup: int | None = None
    round_size: int | None = None
    splits: int | None = None
    last_microbatches: int | None = None

    def __post_init__(self) -> None:
        for name in ("stages", "minibatches", "microbatches", "chunks", "workers"):
            if getattr(self, name) < 1:
                raise ValueError(f"{name} is at least 1, got {getattr(self, name)}")
        for name in OPTIONS:
            value = getattr(self, name)
            if name != "replicas" and value is not None and value < 1:
                raise ValueError(f"{name} is at least 1, got {value}")
        if self.ranks is None and self.stages % self.chunks:
            raise ValueError(f"chunks divides stages, got {self.stages} by {self.chunks}")
        if self.minibatches % self.workers:
            raise ValueError("workers take equally many mini-batches, got "
                             f"{self.minibatches} for {self.workers} workers")
        self._check_replicas()
        self._check_last()
        if self.worker_devices > MOST_RANKS:
            raise ValueError(f"a worker has at most {MOST_RANKS} devices, got "
                             f"{self.worker_devices}")

    def _check_replicas(self) -> None:
        if self.replicas is None:
            return
        object.__setattr__(self, "replicas", tuple(self.replicas))  # a list in JSON
        if len(self.replicas) != self.stages or min(self.replicas) < 1:
            raise ValueError(f"replicas are one number per stage, each at least 1, so "
                             f"{self.stages}, got {list(self.replicas)}")
        if self.ranks not in (None, sum(self.replicas)):
            raise ValueError(f"replicas {list(self.replicas)} live on {sum(self.replicas)} "
                             f"devices, got {self.ranks} ranks")

    def _check_last(self) -> None:
        last = self.last_microbatches
        if last is not None and last > self.microbatches:
            raise ValueError(f"the last mini-batch is no larger than the others, got {last} and "
                             f"{self.microbatches} micro-batches")
        if last not in (None, self.microbatches) and self.workers > 1:
            raise ValueError("workers take mini-batches of one size, got a last one of "
                             f"{last} micro-batches beside {self.microbatches}")

    @property
    def devices(self) -> int:
        """Devices of all workers together."""
        return self.worker_devices * self.workers

    @property
    def worker_devices(self) -> int:
        """Devices of one worker."""
        if self.ranks is not None:
            return self.ranks
        return self.stages // self.chunks if self.replicas is None else sum(self.replicas)

    @property
    def of_worker(self) -> PipelineShape:
        """The shape of one worker's own pipeline."""
        return replace(self, minibatches=self.minibatches // self.workers, workers=1)

    def of_minibatch(self, microbatches: int) -> PipelineShape:
        """The shape of one mini-batch alone, of so many micro-batches."""
        return replace(self, minibatches=1, microbatches=microbatches, workers=1,
                       last_microbatches=None)

    def as_dict(self) -> dict[str, int | list[int]]:
        """The fields by name, as JSON has them; workers and options only where they are set."""
        later: dict[str, int | list[int] | None] = {
            "workers": self.workers if self.workers > 1 else None,
            **{name: getattr(self, name) for name in OPTIONS}}
        if self.replicas is not None:
            later["replicas"] = list(self.replicas)
        return {"stages": self.stages, "minibatches": self.minibatches,
                "microbatches": self.microbatches, "chunks": self.chunks,
                **{name: value for name, value in later.items() if value is not None}}

    @property
    def total(self) -> int:
        """Micro-batches of the whole run."""
        return self.minibatches * self.microbatches - self._missing

    @property
    def _missing(self) -> int:
        """By how many micro-batches the last mini-batch is smaller than the others."""
        return 0 if self.last_microbatches is None else self.microbatches - self.last_microbatches

    @property
    def smaller_last(self) -> bool:
        """Whether the last mini-batch is smaller than the others."""
        return bool(self._missing)

    def size_of(self, minibatch: int) -> int:
        """Micro-batches of a mini-batch, which counts from 0."""
        last = minibatch == self.minibatches - 1
        return self.microbatches - (self._missing if last else 0)
