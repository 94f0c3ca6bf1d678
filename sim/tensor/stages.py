"""What becomes of a stage's seconds and bytes where several devices share it.

A pass takes `whole/p + exchanges`; weights, and what is as large as they are, are split; of what a
micro-batch leaves a share is split, and the rest every device has whole.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from sim.arrays import Floats, Ints
from sim.tensor.exchanges import Exchanges
from sim.times.cluster import Link
from sim.times.profile import Profile, StageProfile

# sbh(34 + 5as/h) bytes of a layer become sbh(10 + 24/p + 5as/(hp)): all but inputs of what is split
LAYER, SPLIT, SCORES = 34.0, 24.0, 5.0
WEIGHTS = ("weight_bytes", "resident_bytes")  # of a profile's stage: as large as its weights
ACTIVATIONS = ("activation_bytes", "held_bytes", "halved_bytes", "slot_bytes", "workspace_bytes")


def transformer_share(heads: int, sequence: int, hidden: int) -> float:
    """Share of a transformer layer's activations that tensor parallelism splits.

    Without attention scores kept (`heads` 0) it is 24/34.
    Source: Korthikanti et al. 2022, equations 1 and 2 [recalled].
    """
    scores = SCORES * heads * sequence / hidden
    return (SPLIT + scores) / (LAYER + scores)


PLAIN_SHARE = SPLIT / LAYER  # of a layer whose attention scores are not kept


@dataclass(frozen=True)
class Splitting:
    """How stages are shared: the ring of their devices, and what of a micro-batch is split.

    `share` of a stage's activations is split, or all with `sequence_parallel`, when what goes from
    stage to stage is split too.
    """

    ring: Link = field(default_factory=Link)
    share: float = PLAIN_SHARE
    sequence_parallel: bool = False

    def kept(self, ways: int | Ints) -> Floats:
        """What of a stage's activations each of `ways` devices has, as a share; (stages,) or a
        number, as `ways` is."""
        split = 1.0 if self.sequence_parallel else self.share
        ways = np.asarray(ways, dtype=np.float64)
        return np.asarray((1.0 - split) + split / ways)

    def entering(self, ways: int | Ints) -> Floats:
        """What of a stage's input each of `ways` devices has, as a share, of the shape of `ways`.

        Every device needs all of it, but with sequence parallelism has its part alone between
        layers.
        """
        whole = np.ones(np.shape(ways))
        return np.asarray(whole / ways if self.sequence_parallel else whole)

    def sent(self, ways: Ints) -> Floats:
        """What of a boundary's bytes goes over each link between two stages, (stages − 1,), as a
        share, where `ways` devices, (stages,), share each.

        [choice] Every device sends to its counterpart, over a link of their own, all that a stage
        makes; with sequence parallelism its part, and where two stages are not alike the side of
        fewer devices is the one that sends, or gets, most.
        """
        return self.entering(np.minimum(ways[:-1], ways[1:]))


def split_stage(stage: StageProfile, ways: int, exchanges: Exchanges, how: Splitting
                ) -> StageProfile:
    """A stage (or layer) as each of the `ways` devices has it that share it.

    Seconds are those of all devices together, `exchanges` its own, of shape (1,).  [choice] Work
    divides evenly, so halves of a backward do and updates as well; the exchange of a backward
    belongs to its input half, so both halves are told apart; what is needed on top while a pass
    runs splits as activations do; the host asks for as much on each device.
    """
    if ways == 1:
        return stage
    forward, backward = (float(each[0]) for each in exchanges.seconds(ways, how.ring))
    half = stage.backward_s / 2
    changed: dict[str, Any] = {
        "forward_s": stage.forward_s / ways + forward,
        "backward_s": stage.backward_s / ways + backward,
        "input_backward_s": _or(stage.input_backward_s, half) / ways + backward,
        "weight_backward_s": _or(stage.weight_backward_s, half) / ways,
        "recompute_s": None if stage.recompute_s is None else stage.recompute_s / ways + forward,
        "update_s": stage.update_s / ways,
        "input_bytes": _times(stage.input_bytes, float(how.entering(ways))),
        "rise_bytes": {op: size * float(how.kept(ways)) for op, size in stage.rise_bytes.items()},
        "all_reduces": {}, "all_reduce_bytes": {},
        **{name: _times(getattr(stage, name), 1 / ways) for name in WEIGHTS},
        **{name: _times(getattr(stage, name), float(how.kept(ways))) for name in ACTIVATIONS}}
    return stage.model_copy(update=changed)


def split_profile(profile: Profile, ways: Sequence[int], exchanges: Exchanges, how: Splitting
                  ) -> Profile:
    """A profile whose stages `ways` devices share, (stages,), as each device has them.

    `exchanges` are of its stages, (stages,).  What was measured of messages by their size is of
    links, and stays.
    """
    of = [Exchanges(*(each[k:k + 1] for each in vars(exchanges).values()))
          for k in range(len(profile.stages))]
    sent = how.sent(np.array(ways))
    boundary = profile.boundary_bytes
    return profile.model_copy(update={
        "stages": tuple(split_stage(stage, p, each, how)
                        for stage, p, each in zip(profile.stages, ways, of, strict=True)),
        "boundary_bytes": None if boundary is None else tuple(
            float(size) for size in np.array(boundary) * sent)})


def _or(value: float | None, otherwise: float) -> float:
    return otherwise if value is None else value


def _times(value: float | None, by: float) -> float | None:
    return None if value is None else value * by
