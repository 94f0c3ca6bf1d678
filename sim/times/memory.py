"""Activation memory of devices: claimed when a forward starts, given back by its backward.

Under `recompute` a backward claims more while it runs: the full activations it makes again.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from sim.arrays import Floats
from sim.op import Op, among
from sim.order.program import Program
from sim.order.together import rows_of_pairs
from sim.times.cluster import Cluster


class Claims(NamedTuple):
    """Bytes each row claims of its device as it starts and gives back as it ends, (rows,) each."""

    taken: Floats
    given: Floats


def claims(program: Program, cluster: Cluster) -> Claims:
    """What the rows of `program` claim and give back of the memory for activations.

    A forward takes what its stage keeps of the micro-batches it covers; their backward gives it
    back (its weight half, where it is split).  Where activations are made again, a whole backward
    has those of one micro-batch while it runs, an input half leaves its own to the weight half.  A
    pair starts as one and ends as one: both claim with the first of the two, and nothing is given
    back before the second has ended.
    """
    op, stage, _, count = program.rows
    kept = cluster.activation_bytes[stage] * count
    again = np.zeros(len(program))
    if cluster.recomputed_bytes is not None:
        again = cluster.recomputed_bytes[stage] * np.where(op == Op.B, 1, count)
    taken = np.where(op == Op.F, kept, np.where(among(op, (Op.B, Op.I)), again, 0.0))
    given = np.where(among(op, (Op.B, Op.W)), kept + again, 0.0)
    first, second = rows_of_pairs(program.tables, program.pairs)
    for column, all_of, none_of in ((taken, first, second), (given, second, first)):
        column[all_of] += column[none_of]
        column[none_of] = 0.0
    return Claims(taken, given)


def most_claimed(program: Program, cluster: Cluster) -> Floats:
    """The most bytes of activations each device holds in the program's order, shape (devices,).

    It is the same whatever times the rows run at.
    """
    taken, given = claims(program, cluster)
    changes = np.column_stack((taken, -given)).ravel()
    return np.array([np.cumsum(changes[2 * first : 2 * stop]).max(initial=0.0)
                     for first, stop in zip(program.offsets, program.offsets[1:], strict=False)])


def stays_within_limit(program: Program, cluster: Cluster) -> bool:
    """Whether no device ever holds more activations than the limit, whatever times rows run at."""
    limit = cluster.activation_limit_bytes
    return bool(np.isinf(limit) or (most_claimed(program, cluster) <= limit).all())


class ActivationMemory:
    """Bytes each device holds while a program is executed, against the cluster's limit.

    What a row claims and gives back are `claims`.  Where devices choose their order, `spare` bytes
    are left free by forwards, so that whichever backward comes next has room to make its
    activations again.
    """

    def __init__(self, program: Program, cluster: Cluster, *, chosen: bool = False) -> None:
        taken, given = claims(program, cluster)
        self.program, self.cluster = program, cluster
        self.limit = cluster.activation_limit_bytes
        self.limited = self.limit < float("inf")
        self.taken: list[float] = taken.tolist()
        self.given: list[float] = given.tolist()
        self.forward: list[bool] = (program.rows.op == Op.F).tolist()
        self.device: list[int] = program.device.tolist()
        self.held = [0.0] * program.devices
        self.chosen = chosen
        self.spare = [0.0] * program.devices
        if chosen:
            most = np.zeros(program.devices)
            np.maximum.at(most, program.device, np.where(program.rows.op == Op.F, 0.0, taken))
            self.spare = most.tolist()

    def fits(self, row: int) -> bool:
        """Whether a row's device has room for the activations that the row claims."""
        need, device = self.taken[row], self.device[row]
        if not need:
            return True
        spare = self.spare[device] if self.forward[row] else 0.0
        return self.held[device] + need + spare <= self.limit

    def take(self, row: int) -> bool:
        """Claim the memory a row needs when it starts; False where there is no room."""
        if not self.fits(row):
            return False
        self.held[self.device[row]] += self.taken[row]
        return True

    def give(self, row: int) -> None:
        """Give back the memory that a row, now ended, was the last to need."""
        self.held[self.device[row]] -= self.given[row]

    def describe(self, row: int) -> str:
        """A line for an error: what a row that does not fit waits for, in bytes."""
        device = self.device[row]
        spare = self.spare[device] if self.forward[row] else 0.0
        beside = f" and {spare:g} for what a backward makes again" if spare else ""
        whole = "" if self.chosen else (
            f", and its order needs {most_claimed(self.program, self.cluster)[device]:g}")
        return (f"device {device} at {self.program.instruction(row)} waits for activation memory "
                f"({self.taken[row]:g} bytes beside {self.held[device]:g} held{beside}, limit "
                f"{self.limit:g}){whole}")
