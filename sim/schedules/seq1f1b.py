"""Seq1F1B: sequences cut into pieces, 1F1B over the pieces, so the bubble is that of a piece."""

from collections.abc import Iterator

import numpy as np

from sim.op import Op
from sim.order.authoring import Part, Run, flushed, forwards, one_by_one, warm_up
from sim.order.shape import PipelineShape
from sim.schedules import schedule


def check(shape: PipelineShape) -> None:
    """Raises ValueError for sequences that are not whole, and warm-ups shorter than one."""
    splits = shape.splits or 1
    if shape.microbatches % splits:
        raise ValueError(f"seq1f1b does whole sequences: splits divides microbatches, got {splits} "
                         f"and {shape.microbatches}")
    if shape.warmup is not None and shape.warmup < splits:
        raise ValueError(f"warmup is at least one sequence of {splits} pieces, got {shape.warmup}")


@schedule("seq1f1b", rule="1F1B over q pieces of each sequence: S-1-k+q pieces forward ahead, "
                          "backwards of a sequence from its last piece on, flush, update",
          source="Sun et al. 2024 (Seq1F1B)", refuse=check, takes=("splits", "warmup"), like="1f1b")
def seq1f1b(device: int, shape: PipelineShape) -> Iterator[Part]:
    """What a device does under Seq1F1B; with two stages, `splits = 2` and one mini-batch of the
    sequences A and B, each in two pieces (four micro-batches A1 A2 B1 B2):

        stage 0: FA1 FA2 FB1 .   BA2 FB2 BA1 .   BB2 BB1
        stage 1: .   FA1 FA2 BA2 FB1 BA1 FB2 BB2 BB1

    Piece s of sequence m is micro-batch m·q + s.  A piece's forward needs those before it (their
    keys and values), its backward those after it: the order of each stage sees to that.  A piece
    takes 1/q of a sequence's seconds where they are cut to equal work.
    """
    splits = shape.splits or 1
    ahead = warm_up(device, shape.stages, shape.warmup or shape.stages - 1 + splits, splits)
    yield from flushed(lambda n: [one_by_one(
        forwards(device, range(n)),
        Run(Op.B, device, np.arange(n).reshape(-1, splits)[:, ::-1].ravel(), 1), ahead)], shape)
