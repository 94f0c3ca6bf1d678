"""What is cut: blocks of layers that travel together, with what any run of them costs and holds."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from analysis.cuts.problem import Problem
from sim.arrays import Floats, Ints
from sim.times.profile import StageProfile


@dataclass(frozen=True)
class Blocks:
    """The layers of a network between the places where it can be cut, n blocks of them.

    `ends` are the numbers of the blocks' last layers, (n,).  All else has shape (n + 1,): what the
    blocks before each place have together (so that those from i to j − 1 have `x[j] − x[i]`):
    `pass_s`, seconds of a micro-batch's forward and backward, `update_s` of an update, and in
    bytes `weight_bytes` and `activation_bytes`.  `sent_bytes` is what a micro-batch sends over
    each place, `entry_bytes` what a stage that begins there gets and keeps; `workspace_bytes` are
    each block's own, (n,).
    """

    ends: Ints
    pass_s: Floats
    update_s: Floats
    weight_bytes: Floats
    activation_bytes: Floats
    sent_bytes: Floats
    entry_bytes: Floats
    workspace_bytes: Floats

    @classmethod
    def of(cls, problem: Problem) -> Blocks:
        """The blocks of a problem's layers."""
        layers = problem.layers.stages
        places = range(len(layers) - 1) if problem.narrow is None else sorted(set(problem.narrow))
        ends = np.array([*places, len(layers) - 1])
        again = problem.backward == "recompute"
        known = problem.layers.boundary_bytes
        sent = np.array([0.0, *(known or [0.0] * (len(layers) - 1)), 0.0])
        entry = np.array([layer.input_bytes or 0.0 for layer in layers] + [0.0])
        if known is not None:  # as `sim.layouts.layers.cut` says it
            entry[1:] = sent[1:]
        first = np.concatenate(([0], ends + 1))

        def until(values: list[float]) -> Floats:
            return np.concatenate(([0.0], np.cumsum(values)))[first]

        workspace = np.array([layer.workspace_bytes or 0.0 for layer in layers])
        return cls(ends, until([_pass_s(layer, again) for layer in layers]),
                   until([layer.update_s for layer in layers]),
                   until([layer.weight_bytes or 0.0 for layer in layers]),
                   until([layer.activation_bytes or 0.0 for layer in layers]),
                   sent[first], entry[first], np.maximum.reduceat(workspace, first[:-1]))

    def __len__(self) -> int:
        return len(self.ends)

    def layers(self, first: int, stop: int) -> tuple[int, int]:
        """The first and the last layer of the blocks from `first` to `stop` − 1."""
        return (int(self.ends[first - 1]) + 1 if first else 0), int(self.ends[stop - 1])

    @staticmethod
    def over(before: Floats) -> Floats:
        """Of what blocks have before each place, (n + 1,), what those from i to j − 1 have:
        (n + 1, n + 1), nothing where there are none."""
        found: Floats = np.maximum(before[None, :] - before[:, None], 0.0)
        return found

    @property
    def workspace(self) -> Floats:
        """The largest workspace of the blocks from i to j − 1, bytes, (n + 1, n + 1)."""
        n = len(self)
        found = np.zeros((n + 1, n + 1))
        for i in range(n):
            found[i, i + 1:] = np.maximum.accumulate(self.workspace_bytes[i:])
        return found


def _pass_s(layer: StageProfile, again: bool) -> float:
    """Seconds of a forward and a backward of a micro-batch; `again`: with a forward made again."""
    rerun = layer.forward_s if layer.recompute_s is None else layer.recompute_s
    return layer.forward_s + layer.backward_s + (rerun if again else 0.0)
