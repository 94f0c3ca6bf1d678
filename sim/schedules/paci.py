"""PACI: asynchronous 1F1B of micro-batches, each stage updating by itself after every n-th."""

from collections.abc import Iterator

from sim.order.authoring import Part
from sim.order.instruction import Instruction
from sim.order.shape import PipelineShape
from sim.schedules import schedule
from sim.schedules.round_robin import round_robin


@schedule("paci", rule="at most S-k micro-batches in flight, backward and forward in turn, a stage "
                       "updates by itself after every n-th backward, no flush",
          source="PACI (arXiv 2606.07881) and its code: order of `round-robin` over micro-batches, "
                 "one copy of the weights", like="round-robin")
def paci(device: int, shape: PipelineShape) -> Iterator[Instruction | Part]:
    """What a device does under PACI; with two stages and mini-batches 1 2 3 of two micro-batches A
    B (an update follows each BB):

        stage 0: 1FA 1FB .   1BA 2FA 1BB 2FB 2BA 3FA 2BB
        stage 1: .   1FA 1BA 1FB 1BB 2FA 2BA 2FB 2BB 3FA

    Gradients are of the loss over n, taken at the newest weights a stage has in either pass (as
    the mitigation `none` does).  Micro-batch m, from 0, is applied ⌊m/n⌋ − ⌊max(m−(S−1−k), 0)/n⌋
    updates after those its forward read: at most ⌈(S−1−k)/n⌉, and S−1−k with n = 1.
    """
    yield from round_robin(device, shape)
