"""The question of an order: of which stages, on which machine, under which limits."""

from __future__ import annotations

import json
import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from analysis.cuts.plans import partition
from analysis.cuts.problem import Level, Problem
from analysis.ordering.problem import OrderProblem
from analysis.room import wrong_room
from sim.errors import ConfigurationError, ProfileError
from sim.experiment.configuration import document_of
from sim.experiment.documents import put
from sim.experiment.options import resolve
from sim.files.reading import text_of
from sim.layouts.graph import is_graph
from sim.layouts.layers import cut, layers_in
from sim.times.profile import Profile


@dataclass(frozen=True)
class Question:
    """Which order is best for what is in the file `path`: a profile of stages, of layers (or
    PipeDream's graph.txt), or an experiment (.toml).

    Layers are cut into stages as `plan`, a file that `analysis partition` wrote, says, else into
    one for each of `devices`.  `settings` are `KEY=VALUE` of the experiment, `microbatches` those
    of a mini-batch (None: as the experiment says).  `memory_limit_bytes` are the bytes each device
    has (None: no limit), of which `state_copies` arrays as large as the weights are held beside
    them; `max_staleness` is in updates.  Raises ConfigurationError with every problem.
    """

    path: Path
    microbatches: int | None = None
    memory_limit_bytes: float | None = None
    max_staleness: int = 0
    devices: int | None = None
    plan: Path | None = None
    mitigation: str | None = None
    state_copies: float = 0.0
    settings: Sequence[str] = ()

    def __post_init__(self) -> None:
        problems = list(self._wrong())
        if problems:
            raise ConfigurationError(problems)

    def _wrong(self) -> Iterator[str]:
        for name, number, least in (("microbatches", self.microbatches, 1),
                                    ("devices", self.devices, 1),
                                    ("max-staleness", self.max_staleness, 0)):
            if number is not None and number < least:
                yield f"--{name}: at least {least}, got {number}"
        yield from wrong_room(self.memory_limit_bytes, self.state_copies)
        if self.plan is not None and self.devices is not None:
            yield "--devices: --plan says how many stages there are; give one of them"
        if self.path.suffix == ".toml" and (self.plan or self.devices):
            yield f"{self.path}: an experiment says how many stages it has; leave --plan and " \
                  "--devices out"

    def problem(self) -> OrderProblem:
        """The problem that is asked about.  Raises ConfigurationError or ProfileError."""
        document, profile = self._document()
        limit = math.inf if self.memory_limit_bytes is None else self.memory_limit_bytes
        return OrderProblem.of(resolve(document), limit_bytes=limit, profile=profile,
                               max_staleness=self.max_staleness, state_copies=self.state_copies)

    def _document(self) -> tuple[dict[str, Any], Profile | None]:
        """The document of the experiment, and the profile of its stages where they were cut."""
        if self.path.suffix == ".toml":
            document, profile = document_of(self.path), None
        else:
            document, profile = self._of_profile()
        given = document_of(None, self.settings)
        for section, table in given.items():
            if not isinstance(table, dict):
                put(document, section, table)
                continue
            for key, value in table.items():
                put(document, f"{section}.{key}", value)
        pipeline = document.setdefault("pipeline", {})
        if self.microbatches is not None:
            put(document, "pipeline.microbatches", self.microbatches)
        elif "microbatches" not in pipeline:
            raise ConfigurationError([f"--microbatches: {self.path} does not say how many a "
                                      "mini-batch has"])
        if self.mitigation is not None:
            put(document, "pipeline.mitigation", self.mitigation)
        elif self.max_staleness:  # [choice] what keeps gradients right where nothing is said
            pipeline.setdefault("mitigation", "stash")
        return document, profile

    def _of_profile(self) -> tuple[dict[str, Any], Profile | None]:
        counts, graph = self._counts(), is_graph(self.path)
        layers = layers_in(self.path)
        if counts is None and graph and self.devices is None:
            raise ConfigurationError([f"--devices: {self.path} has {len(layers.stages)} layers; "
                                      "say on how many devices they go, or give --plan"])
        if counts is None and self.devices not in (None, len(layers.stages)):
            counts = self._cut(layers)
        document: dict[str, Any] = {
            "pipeline": {"schedule": "1f1b", "stages": len(counts or layers.stages)},
            "training": {"task": "none"}}
        if counts is None and not graph:
            document["costs"] = {"profile": str(self.path)}
            return document, None
        return document, layers if counts is None else cut(layers, counts)

    def _counts(self) -> list[int] | None:
        """How many layers each stage of the plan has; None without one."""
        if self.plan is None:
            return None
        try:
            stages = json.loads(text_of(self.plan))["stages"]
            ends = [(int(first), int(last)) for first, last in (each["layers"] for each in stages)]
        except (ValueError, KeyError, TypeError, RecursionError) as error:
            raise ConfigurationError([f"--plan: {self.plan}: not what analysis partition writes: "
                                      f"{error!r}"]) from None
        if any(each.get("replicas", 1) > 1 for each in stages):
            raise ConfigurationError([f"--plan: {self.plan} has stages on several devices, and an "
                                      "order is of stages with one home each"])
        return [last - first + 1 for first, last in ends]

    def _cut(self, layers: Profile) -> list[int]:
        """How many layers each stage has in the best cut for as many devices as there are, a
        stage on each."""
        devices = self.devices or 1
        if devices > len(layers.stages):
            raise ConfigurationError([f"--devices: {self.path} has {len(layers.stages)} layers, "
                                      f"got {devices} devices"])
        link = Level(devices, layers.bandwidth_bytes_per_s or math.inf, layers.latency_s)
        found = partition(Problem(layers, (link,), "flush", self.microbatches or 1))
        if len(found.stages) != devices:
            raise ProfileError(f"{self.path}: no cut into {devices} stages was found")
        return list(found.counts)
