"""The layers that are to be cut, and the links between the devices that stages of them go to."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from analysis.advice.planned.arrangement import layout_of
from analysis.advice.question import NEEDED, Question
from sim.errors import ConfigurationError
from sim.experiment.configuration import resolve
from sim.experiment.splitting.stages import exchanges_of, splitting_of
from sim.layouts.graph import is_graph
from sim.layouts.layers import cut, layers_in
from sim.rows import Row
from sim.tensor.exchanges import Exchanges
from sim.tensor.stages import split_profile
from sim.times.profile import Profile, read_profile


@dataclass(frozen=True)
class Layers:
    """A network's layers in the order a micro-batch goes through them, a stage of `profile` each.

    `profile` has the links of the question.  `given` are the keys of `cluster`, and `ring` those of
    `tensor`, by which an experiment says what links it has that were not measured, in seconds and
    bytes per second.
    """

    profile: Profile
    given: dict[str, float]
    ring: dict[str, float]

    @property
    def alone(self) -> tuple[int, ...]:
        """Every layer as a stage by itself."""
        return (1,) * len(self.profile.stages)

    def split(self, counts: Sequence[int], ways: int) -> Profile:
        """The stages of so many layers each, as each of `ways` devices has them that share one.

        Raises ProfileError or ConfigurationError where they cannot be cut or shared.
        """
        stages = cut(self.profile, counts)
        if ways == 1:
            return stages
        experiment = resolve({
            "pipeline": {"schedule": "gpipe", "layout": layout_of(counts)},
            "cluster": self.given, "tensor": self.tensor(counts, ways),
            "training": {"task": "none"}})
        sent = np.array(stages.boundary_bytes or [0.0] * (len(counts) - 1))
        return split_profile(stages, [ways] * len(counts),
                             exchanges_of(experiment, stages, sent),
                             splitting_of(experiment, stages))

    def tensor(self, counts: Sequence[int], ways: int) -> Row:
        """The table `tensor` of an experiment on such stages.

        [choice] Where the profile does not say what its layers exchange, each all-reduce of a layer
        is of what the layer sends on, of the last what it gets; of a stage's layers it is the mean.
        """
        table: Row = {"ways": ways, **self.ring}
        sent, layers = self.profile.boundary_bytes, self.profile.stages
        if sent and Exchanges.measured(layers) is None:
            sizes = np.cumsum([0.0, *sent, sent[-1]])
            ends = np.cumsum([0, *counts])
            table["all_reduce_bytes"] = (np.diff(sizes[ends]) / np.array(counts)).tolist()
        return table

    @property
    def size(self) -> int | None:
        """Samples of a micro-batch, where the profile says so."""
        return self.profile.microbatch_size


def cuts_layers(question: Question) -> bool:
    """Whether a question is about layers that are to be cut.

    [choice] Where it does not say so itself: a graph.txt has layers, and so has a profile whose
    notes name them, or whose stages are not as many as the devices.  Raises ProfileError where the
    file cannot be read.
    """
    if question.layers is not None:
        return question.layers
    if is_graph(question.path):
        return True
    profile = read_profile(question.path)
    return "layers" in profile.notes or len(profile.stages) != question.devices


def read_layers(question: Question) -> Layers:
    """The layers a question is about.

    Raises ProfileError or ConfigurationError where the file has none, or not what counting memory
    needs.
    """
    profile = layers_in(question.path)
    problems = [f"{question.path}: stages.{k}.{key}: needed to count memory, but missing"
                for k, layer in enumerate(profile.stages) for key in NEEDED
                if getattr(layer, key) is None]
    many, sent = len(profile.stages), profile.boundary_bytes
    if sent is not None and len(sent) != many - 1:
        problems.append(f"{question.path}: boundary_bytes: {many} layers have {many - 1}, got "
                        f"{len(sent)}")
    if problems:
        raise ConfigurationError(problems)
    cut(profile, [many])  # all of them together are the most a stage may have
    given = {name: value for name, value in (
        ("latency_s", question.latency_s),
        ("bandwidth_bytes_per_s", question.bandwidth_bytes_per_s)) if value is not None}
    if given:
        profile = profile.model_copy(update={**given, "transfers": ()})
    ring = {name: value for name, value in (
        ("ring_latency_s", question.ring_latency_s),
        ("ring_bandwidth_bytes_per_s", question.ring_bandwidth_bytes_per_s)) if value is not None}
    return Layers(profile, given, ring)
