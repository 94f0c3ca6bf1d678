"""PipeDream-2BW: two weight versions, and every pass of a mini-batch reads the same one."""

from dataclasses import dataclass
from typing import Any

from sim.mitigations import Mitigation, Reads, Setting, mitigation


@mitigation("2bw", rule="both passes of micro-batch m read version max(⌊m/a⌋−1, 0), a per update",
            source="Narayanan et al. 2021 (PipeDream-2BW), section 3.1")
@dataclass(frozen=True)
class TwoBuffer(Mitigation):
    """Every pass reads weights one update older than those its own update steps, on any order.

    So staleness is 1 on every stage, and two versions are held.
    """

    keeps_forward = True

    def check(self, setting: Setting) -> None:
        shape = setting.shape
        if setting.schedule == "nf1b":
            raise ValueError("2bw is defined on 1F1B orders, not on nf1b, which runs further ahead")
        if shape.microbatches < shape.stages:
            raise ValueError("2bw needs at least as many micro-batches per update as stages, got "
                             f"{shape.microbatches} micro-batches and {shape.stages} stages")

    def forward_version(self, reads: Reads) -> Any:
        # the step before, and 0 where there is none; operators only, so that arrays work too
        before = reads.index // reads.microbatches - 1
        return before * (before > 0)

    def backward_version(self, reads: Reads) -> Any:
        return reads.forward
