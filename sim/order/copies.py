"""Copies of stages: on which devices each stage lives, and which of them does a micro-batch.

A stage has a copy on every device it lives on: one in most orders, several where it is replicated
or where micro-batches go through the devices in two directions.  All of a micro-batch's passes on
a stage are one copy's, and every copy has updates of its own.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from sim.arrays import Ints


@dataclass(frozen=True, eq=False)
class Copies:
    """The copies of all stages, numbered by stage, and of one stage by device.

    `stage` and `device` are those of each copy, shape (copies,), and `of` is the copy that does
    each micro-batch, shape (stages, micro-batches).  Where every stage has one, a copy's number is
    its stage's.
    """

    stage: Ints
    device: Ints
    of: Ints

    @classmethod
    def at(cls, where: Ints, devices: int) -> Copies:
        """The copies of stages whose micro-batches are done on the devices `where`.

        `where` has shape (stages, micro-batches), and there are so many `devices`.
        """
        key = np.arange(len(where), dtype=np.int64)[:, None] * devices + where
        found, number = np.unique(key, return_inverse=True)
        return cls(found // devices, found % devices, number.reshape(where.shape))

    @classmethod
    def one_each(cls, home: Ints, micro_batches: int) -> Copies:
        """The copies where every stage has one, on the device `home`, shape (stages,)."""
        stage = np.arange(len(home))
        return cls(stage, home, np.broadcast_to(stage[:, None], (len(home), micro_batches)))

    def __len__(self) -> int:
        return len(self.stage)

    def of_stage(self, stage: int) -> list[int]:
        """The numbers of a stage's copies, ascending."""
        return [int(each) for each in np.flatnonzero(self.stage == stage)]

    def does(self, copy: int) -> NDArray[np.bool_]:
        """Which micro-batches a copy does, a mask of shape (micro-batches,)."""
        mine: NDArray[np.bool_] = self.of[self.stage[copy]] == copy
        return mine

    def minibatches(self, copy: int, microbatches: int) -> Ints:
        """The mini-batches, from 0 and of so many micro-batches, in which a copy does any.

        Ascending, shape (updates of the copy,).
        """
        return np.unique(np.flatnonzero(self.does(copy)) // microbatches)

    @property
    def homes(self) -> Ints:
        """How many copies each stage has, shape (stages,)."""
        return np.bincount(self.stage, minlength=len(self.of))
