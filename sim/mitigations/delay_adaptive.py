"""Delay-adaptive learning rates: an update that comes too late steps less far, or not at all."""

from dataclasses import dataclass
from typing import Any

from sim.errors import shown
from sim.mitigations import Late, Mitigation, Reads, mitigation


@mitigation("delay-adaptive",
            rule="stash; an update later than tau_C steps by min(eta, 1/(4*L*tau)), others by eta",
            source="Koloskova et al. 2022, delay-adaptive step sizes; [choice] tau_C = S-k and "
                   "1/(4L) = eta*tau_C unless set, the delay is that of the oldest forward")
@dataclass(frozen=True)
class DelayAdaptive(Mitigation):
    """Weight stashing, and a learning rate that falls where a gradient is later than it should be.

    A mini-batch's update on stage k is `tau` updates late if so many came after the version its
    forward read (the oldest of its micro-batches' versions).  Up to `concurrency`, the tau_C of the
    theory, it steps by the schedule's rate eta; beyond it by min(eta, 1/(4·L·tau)), where L is
    `smoothness`, how fast the gradient changes with the weights (1/weight units; inf: such updates
    step nowhere).  Unset, `concurrency` is S−k of stage k out of S, what 1F1B has in flight there;
    and unset, L is that at which eta is just right at tau_C, so that the rate is eta·tau_C/tau.

    A pipeline in a fixed order without flush is S−1−k updates late, which is never too late: then
    this is `stash` to the bit.  It acts where order follows times (`dispatch = "greedy"`) or a
    recorded or written order lets a stage run ahead.  Raises ValueError.
    """

    keeps_forward = True
    adapts_rate = True
    concurrency: int | None = None
    smoothness: float | None = None

    def __post_init__(self) -> None:
        if self.concurrency is not None and self.concurrency < 0:
            raise ValueError("concurrency is 0 or more updates, got "
                             f"{shown(self.concurrency)}")
        if self.smoothness is not None and not self.smoothness > 0:
            raise ValueError(f"smoothness is above 0 (inf included), got {self.smoothness}")
        if self.concurrency == 0 and self.smoothness is None:
            raise ValueError("concurrency 0 calls every delay too late, so that smoothness has to "
                             "say how far to step; got none")

    def backward_version(self, reads: Reads) -> Any:
        return reads.forward

    def step_rate(self, late: Late) -> Any:
        most = late.depth if self.concurrency is None else self.concurrency
        if late.delay <= most:
            return late.learning_rate
        if self.smoothness is None:
            return late.learning_rate * (most / late.delay)
        return _least(late.learning_rate, 1 / (4 * self.smoothness * late.delay))


def _least(rate: Any, bound: float) -> Any:
    """The smaller of a rate and a bound, elementwise for rates of replicas (replicas, 1)."""
    return min(rate, bound) if isinstance(rate, float | int) else rate.clip(max=bound)
