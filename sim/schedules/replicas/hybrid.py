"""PipeDream's 1F1B with replicated stages: replicas of a stage take mini-batches in turn."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import accumulate

import numpy as np

from sim.arrays import NARROW
from sim.op import Op
from sim.order.authoring import Part, Run, alternate, backwards, forwards
from sim.order.shape import PipelineShape
from sim.schedules import schedule


def homes(shape: PipelineShape) -> list[tuple[int, int, int]]:
    """What lives on each device: its stage, which replica of it (from 0), and how many there are.

    Devices hold the replicas of the first stage, then those of the second, …
    """
    replicas = shape.replicas or (1,) * shape.stages
    return [(stage, number, many) for stage, many in enumerate(replicas) for number in range(many)]


def in_flight(replicas: Sequence[int], warmup: int | None = None) -> list[int]:
    """Mini-batches that a replica of each stage has under way at most: its warm-up, and one.

    The warm-up is ⌊(devices after the stage's first one) / replicas⌋, as in PipeDream's runtime;
    where the replicas divide the devices of later stages that is ⌊those / replicas⌋.  With the
    option `warmup` the first stage has so many under way and the last one 1, those between in
    the proportion of `enough`, rounded down [choice].
    """
    if warmup is None:
        behind = accumulate(reversed(replicas))
        return [(devices - 1) // many + 1
                for devices, many in zip(behind, reversed(replicas), strict=True)][::-1]
    if len(replicas) == 1:
        return [warmup]
    wanted = enough(replicas)
    return [1 + (each - 1) * (warmup - 1) // (wanted[0] - 1) for each in wanted]


def enough(replicas: Sequence[int]) -> list[int]:
    """Mini-batches under way on a replica of each stage with which none waits on free links.

    That is aₖ = 1 + ⌈aₖ₊₁rₖ₊₁ / rₖ⌉ from the last stage's 1 on [derived]: while a replica's own
    one is done by its stage, all that the next stage has under way can be there.
    """
    found, behind = [1], replicas[-1]
    for many in reversed(replicas[:-1]):
        found.append(1 - -behind // many)
        behind = found[-1] * many
    return found[::-1]


def refuse(shape: PipelineShape) -> None:
    """Refuse what this order does not have.  Raises ValueError."""
    if shape.microbatches > 1:
        raise ValueError("hybrid runs whole mini-batches, so microbatches is 1, got "
                         f"{shape.microbatches}")
    if shape.replicas is not None and shape.of_worker.minibatches < max(shape.replicas):
        raise ValueError(f"each of {max(shape.replicas)} replicas takes a mini-batch, got "
                         f"{shape.of_worker.minibatches}")


@schedule("hybrid", rule="asynchronous 1F1B where replicas of a stage take mini-batches in turn",
          source="Narayanan et al. 2019 (PipeDream, 1F1B-RR); its runtime's warm-up; where a "
                 "round's update stands [choice]",
          refuse=refuse, takes=("replicas", "warmup"), like="round-robin")
def hybrid(device: int, shape: PipelineShape) -> Iterator[Part]:
    """What a device does where stages have replicas; with `replicas = [2, 1]` and passes of one
    length (a bare number is a backward):

        stage 0, replica 0: 1F 3F .  1  5F .  .  3  7F .  .  5
        stage 0, replica 1: 2F 4F .  .  .  2  6F .  .  4  8F .
        stage 1:            .  1F 1  2F 2  3F 3  4F 4  5F 5  6F

    Mini-batch i (from 1) is done by replica (i−1) mod r.  A stage with r replicas updates once for
    each round of r mini-batches, with their mean gradient.  The last replica of a round updates
    right after its backward; the others, whose round is not complete then, go on with a forward and
    their next backward first, and no replica ever waits for another.

    With free links a mini-batch takes max (f+b)/r over the stages where replicas divide the devices
    of later stages.  Elsewhere it may take longer, since a forward in the warm-up waits: the most,
    over stages k ≤ l, of the seconds of k to l over aₖrₖ − (aₗ−1)rₗ, with a in flight [derived].

    `warmup` are the forwards of a replica of the first stage before its first backward; the last
    stage's is 1, those between are in the proportion of those that are enough.  With as many as
    are enough (`enough`) every aₖrₖ is aₖ₊₁rₖ₊₁ + rₖ at least, and it takes max (f+b)/r on any
    replicas; memory and staleness grow with it.  With `replicas = [1, 2, 1]`, whose default is 4,
    2 and 1, that is `warmup = 5`; with passes of stage 1 twice as long (- is the second half):

        stage 0, replica 0: 1F 2F 3F 4F 5F .  .  1  6F 2  7F 3  8F 4
        stage 1, replica 0: .  1F -  3F -  1  -  5F -  3  -  7F -  5
        stage 1, replica 1: .  .  2F -  4F -  .  2  -  6F -  4  -  8F
        stage 2, replica 0: .  .  .  1F 1  2F 2  3F 3  4F 4  5F 5  6F
    """
    stage, number, many = homes(shape)[device]
    mine = np.arange(number, shape.total, many, dtype=NARROW)
    replicas = shape.replicas or (1,) * shape.stages
    ahead = min(in_flight(replicas, shape.warmup)[stage], len(mine))
    left = len(mine) - ahead  # forwards after the first backward
    yield forwards(stage, mine[:ahead])
    if number == many - 1:
        yield alternate(backwards(stage, mine[:left]), forwards(stage, mine[ahead:]))
        yield backwards(stage, mine[left:])
        return
    yield backwards(stage, mine[:1])
    yield alternate(forwards(stage, mine[ahead:]), backwards(stage, mine[1 : 1 + left]),
                    Run(Op.U, stage, mine[:left], 1))
    yield alternate(backwards(stage, mine[1 + left:]), Run(Op.U, stage, mine[left:-1], 1))
    yield Run(Op.U, stage, mine[-1:], 1)
