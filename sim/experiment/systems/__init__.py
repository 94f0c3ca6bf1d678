"""Systems of the literature by name: presets of a schedule, a mitigation and workers.

A comparison of systems is fair where each trains the same network on the same data in the same
way.  So its experiment says what is common: `stages` devices to cut the network for, seconds and
bytes of a whole mini-batch on each of those stages, and the training; a system says how it cuts
mini-batches, orders passes and chooses weights.  A system of several workers has as many devices
as the others; where its mini-batches are parts of the experiment's, it has as many more.
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from sim.errors import ConfigurationError
from sim.experiment.options import Experiment
from sim.registry import Registry

Document = dict[str, Any]
CHUNKS = 2  # stages a device holds in the interleaved system
BOUNDARY_KEYS = ("boundary_bytes", "latency_s", "bandwidth_bytes_per_s")  # may be lists
MOST_A_STAGE = 4  # micro-batches a stage into which a system cuts a mini-batch [choice]


@dataclass(frozen=True)
class Common:
    """What all systems of a comparison share, read off one experiment."""

    experiment: Experiment

    @property
    def stages(self) -> int:
        """Devices to cut the network for, a stage each."""
        return self.experiment.pipeline.stages

    @property
    def microbatches(self) -> int:
        """Parts of a mini-batch where a system cuts it: as configured, else the least divisor of
        the batch size from the number of stages to `MOST_A_STAGE` times it.

        Raises ConfigurationError where there is none: a large prime would make a pipeline of
        single images.
        """
        given, batch = self.experiment.pipeline.microbatches, self.experiment.training.batch_size
        if given > 1 or self.stages == 1:
            return given
        most = min(batch, MOST_A_STAGE * self.stages)
        fitting = [n for n in range(self.stages, most + 1) if batch % n == 0]
        if not fitting:
            raise ConfigurationError([
                f"training.batch_size: {batch} images are not cut into {self.stages} to "
                f"{MOST_A_STAGE * self.stages} equal micro-batches; choose another batch size, or "
                "set pipeline.microbatches"])
        return fitting[0]

    @property
    def layers(self) -> int:
        """Weight layers of the network, enough for the system that cuts it finest."""
        return self.experiment.training.layers or max(3, CHUNKS * self.stages)

    def minibatches(self, workers: int) -> int:
        """The experiment's mini-batches, rounded up to equally many for each worker."""
        return -(-self.experiment.pipeline.minibatches // workers) * workers

    def pipeline(self, schedule: str, mitigation: Any = "none", *, cut: bool = False,
                 whole_backward: bool = False, **more: Any) -> Document:
        """The changes for a pipeline over all stages; with `cut`, of micro-batches.

        A pass of a micro-batch takes its share of the mini-batch's seconds; with
        `whole_backward` one backward still covers the mini-batch.
        """
        n = self.microbatches if cut else 1
        costs = self._per_stage(1 / n)
        if whole_backward:
            costs["backward_s"] = self._seconds("backward_s", 1.0)
        return {"pipeline": {"schedule": schedule, "mitigation": mitigation, "microbatches": n,
                             **more},
                "costs": costs, "cluster": self._bytes(1 / n)}

    def one_device(self, workers: int = 1, combine: Any = "all-reduce", *, parts: int = 1
                   ) -> Document:
        """The changes for the whole network on one device, on each of so many workers.

        Each mini-batch of a worker is one of `parts` of the experiment's.
        """
        costs = {key: [sum(seconds)] for key, seconds in self._per_stage(1 / parts).items()}
        cluster = self._bytes(1 / parts)
        if "activation_bytes" in cluster:
            cluster["activation_bytes"] = sum(cluster["activation_bytes"])
        return {"pipeline": {"schedule": "sequential", "stages": 1, "microbatches": 1,
                             "mitigation": "none", "minibatches": self.minibatches(workers)},
                "costs": costs, "cluster": self._alone(cluster),
                "workers": {"count": workers, "combine": combine}}

    def _alone(self, cluster: Document) -> Document:
        """The table of a network on one device, which has no boundaries: workers are as far apart
        as the slowest of those that had links of their own."""
        of_all = {key: worst(cluster[key]) for key, worst in
                  (("latency_s", max), ("bandwidth_bytes_per_s", min)) if cluster.get(key)}
        return cluster | of_all | {"boundary_bytes": None}

    def shared(self, workers: int) -> Document:
        """The changes for the whole network on each of so many devices, which share every
        mini-batch equally: a worker's mini-batch is its part.

        Raises ConfigurationError where they cannot.
        """
        experiment, batch = self.experiment, self.experiment.training.batch_size
        if batch % workers:
            raise ConfigurationError([f"training.batch_size: {workers} workers share a mini-batch "
                                      f"equally, got {batch} images"])
        document = self.one_device(workers, parts=workers)
        document["pipeline"]["minibatches"] = workers * experiment.pipeline.minibatches
        document["training"] = {"batch_size": batch // workers,
                                "evaluate_every": workers * experiment.training.evaluate_every}
        return document

    def interleaved(self) -> Document:
        """The changes for stages cut in two, so that each device has two chunks of the network.

        Raises ConfigurationError where boundaries differ in size.
        """
        document = self.pipeline("interleaved", cut=True, stages=CHUNKS * self.stages,
                                 chunks=CHUNKS)
        document["costs"] = {key: [s / CHUNKS for s in seconds for _ in range(CHUNKS)]
                             for key, seconds in document["costs"].items()}
        cluster = document["cluster"]
        if "activation_bytes" in cluster:
            cluster["activation_bytes"] = [b / CHUNKS for b in cluster["activation_bytes"]
                                           for _ in range(CHUNKS)]
        each = [f"cluster.{key}: finer stages have other boundaries; give one number for all"
                for key in BOUNDARY_KEYS if isinstance(getattr(self.experiment.cluster, key), list)]
        if each:
            raise ConfigurationError(each)
        return document

    def shallower(self, together: Sequence[int], schedule: str, mitigation: Any, **more: Any
                  ) -> Document:
        """The changes for a pipeline each of whose stages is so many neighbouring ones in one."""
        document = self.pipeline(schedule, mitigation, stages=len(together), **more)
        document["costs"] = {key: _sums(seconds, together)
                             for key, seconds in document["costs"].items()}
        cluster = document["cluster"]
        if "activation_bytes" in cluster:
            cluster["activation_bytes"] = _sums(cluster["activation_bytes"], together)
        for key in BOUNDARY_KEYS:
            if isinstance(cluster.get(key), list):
                cluster[key] = [cluster[key][end - 1]
                                for end in itertools.accumulate(together[:-1])]
        return document

    def _per_stage(self, share: float) -> Document:
        costs = {key: self._seconds(key, share) for key in ("forward_s", "backward_s")}
        costs["update_s"] = self._seconds("update_s", 1.0)
        for key in ("recompute_s", "input_backward_s", "weight_backward_s", "overlapped_s"):
            if getattr(self.experiment.costs, key) is not None:
                costs[key] = self._seconds(key, share)
        return costs

    def _seconds(self, key: str, share: float) -> list[float]:
        return [share * s for s in _each(getattr(self.experiment.costs, key), self.stages)]

    def _bytes(self, share: float) -> Document:
        """Configured bytes of a mini-batch as those of its parts, and the links they go over where
        boundaries have one each."""
        cluster, found = self.experiment.cluster, Document()
        if cluster.activation_bytes is not None:
            found["activation_bytes"] = [
                share * b for b in _each(cluster.activation_bytes, self.stages)]
        if isinstance(cluster.boundary_bytes, list):
            found["boundary_bytes"] = [share * b for b in cluster.boundary_bytes]
        elif cluster.boundary_bytes is not None:
            found["boundary_bytes"] = share * cluster.boundary_bytes
        return found | {key: getattr(cluster, key) for key in BOUNDARY_KEYS[1:]
                        if isinstance(getattr(cluster, key), list)}


def _each(value: float | Sequence[float], stages: int) -> list[float]:
    return list(value) if isinstance(value, Sequence) else [value] * stages


def _sums(values: Sequence[float], together: Sequence[int]) -> list[float]:
    """The values of so many neighbours each time added up."""
    ends = [0, *itertools.accumulate(together)]
    return [sum(values[first:end]) for first, end in itertools.pairwise(ends)]


Preset = Callable[..., Document]


@dataclass(frozen=True)
class System:
    """A named system of the literature: its rule, source, and what it changes of an experiment.

    `reading` says what is this project's reading of an unclear source; `preset` makes the changes
    from what a comparison has in common, and from parameters of its own, which `takes` names.
    """

    name: str
    rule: str
    source: str
    reading: str
    preset: Preset
    takes: tuple[str, ...] = ()

    def changes(self, experiment: Experiment, **parameters: Any) -> Document:
        """What to change of an experiment to run it as this system, with `parameters` of its own.

        Raises ConfigurationError.
        """
        if experiment.costs.profile is not None:
            raise ConfigurationError(["costs.profile: systems cut the network differently, a "
                                      "profile knows one cut; give costs, or use analysis advise"])
        if experiment.pipeline.layout is not None:
            raise ConfigurationError(["pipeline.layout: systems cut the network differently, a "
                                      "layout is one cut; give costs of stages"])
        if experiment.workers.count > 1 or experiment.pipeline.chunks > 1:
            raise ConfigurationError(["workers.count, pipeline.chunks: a system brings its own; "
                                      "leave them at 1"])
        common = Common(experiment)
        document = self.preset(common, **parameters)
        return document | {"training": {"layers": common.layers} | document.get("training", {})}


SYSTEMS: Registry[System] = Registry("system", "sim.experiment.systems")


def system(name: str, *, rule: str, source: str, reading: str = "", takes: tuple[str, ...] = ()
           ) -> Callable[[Preset], Preset]:
    """Register the decorated preset as the system `name`.

    It is called with a `Common`, and with those of the parameters `takes` names that are given, and
    gives the tables to change, as a plain document.
    """

    def register(preset: Preset) -> Preset:
        SYSTEMS.register(name, System(name, rule, source, reading, preset, takes))
        return preset

    return register
