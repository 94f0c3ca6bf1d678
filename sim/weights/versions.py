"""Which weight version every pass reads: computed from the program, without a clock."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from sim.arrays import NARROW, Ints
from sim.kernels import as_narrow, compiled
from sim.kernels.versions import newest, peaks
from sim.mitigations import Mitigation, Reads
from sim.op import Op
from sim.order.program import Program
from sim.order.time_units import has_time_units, unit_horizon


@dataclass(frozen=True)
class VersionPlan:
    """Versions by (stage, micro-batch) for one program under one mitigation.

    `forward`/`backward` are the versions read, `forward_latest`/`backward_latest` the newest ones
    there at that moment, `applied` the version just before the mini-batch's own update.  A
    version counts the updates of its stage, from 0.  Arrays have shape (stages, micro-batches).
    Source: REFERENCE section 1.
    """

    program: Program
    mitigation: Mitigation
    forward_latest: Ints
    backward_latest: Ints
    applied: Ints
    forward: Ints
    backward: Ints
    schedule: str = ""

    @classmethod
    def of(cls, program: Program, mitigation: Mitigation, schedule: str = "") -> VersionPlan:
        """The versions; `schedule` names the program's, since time units are round-robin's.

        Raises ValueError when a pass would read a version that does not exist yet.
        """
        forward_latest, backward_latest, applied = _newest(program)
        micro = np.arange(program.shape.total, dtype=NARROW)
        entry = np.broadcast_to(forward_latest[0], forward_latest.shape)
        reads = Reads(forward_latest, entry, forward_latest, micro, program.shape.microbatches)
        forward = _table(mitigation.forward_version(reads), entry.shape)
        reads = Reads(backward_latest, entry, forward, micro, program.shape.microbatches)
        backward = _table(mitigation.backward_version(reads), entry.shape)
        for name, read, latest in (("forward", forward, forward_latest),
                                   ("backward", backward, backward_latest)):
            if read is not latest:
                _refuse_missing(mitigation.name, name, read, latest)
        return cls(program, mitigation, forward_latest, backward_latest, applied,
                   forward, backward, schedule)

    def __repr__(self) -> str:
        shape, schedule = self.program.shape, self.schedule or "an order"
        return (f"<VersionPlan: {self.mitigation.name} on {schedule}, {shape.stages} stages, "
                f"{shape.total} micro-batches>")

    def unit_horizons(self, stage: int) -> tuple[int, int] | None:
        """SpecTrain's `s` of a stage's forwards and backwards; None where it is undefined."""
        shape = self.program.shape
        if not has_time_units(self.schedule, shape):
            return None
        return (unit_horizon(Op.F, stage, shape.stages), unit_horizon(Op.B, stage, shape.stages))

    @property
    def forward_horizon(self) -> Ints:
        """Updates between a forward's newest weights and its mini-batch's own update."""
        return self.applied - self.forward_latest

    @property
    def backward_horizon(self) -> Ints:
        """The same for backwards."""
        return self.applied - self.backward_latest

    @cached_property
    def readers(self) -> Ints:
        """How many passes read each version, shape (stages, versions)."""
        versions = self.program.shape.minibatches + 1
        counts = [np.bincount(reads, minlength=versions) for reads in self.forward]
        if self.mitigation.stash != "prediction":
            counts = [c + np.bincount(reads, minlength=versions)
                      for c, reads in zip(counts, self.backward, strict=True)]
        return np.array(counts)

    def holdings(self, stage: int) -> tuple[Ints, Ints, Ints]:
        """Weight sets a stage holds: rows that make them, rows that drop them, predictions.

        A version is made at the end of an update (row −1: before the run) and dropped at the end
        of the row after which it is neither newest nor to be read again (row `len(program)`:
        never).  The last array is True for a stashed prediction that differs from the weights:
        held from the start of its forward to the end of its backward.
        """
        program = self.program
        updates = np.sort(program.row_of(Op.U)[stage, :: program.shape.microbatches]
                          ).astype(np.int64)
        born = np.concatenate(([-1], updates))
        end = np.concatenate((updates, [len(program)]))
        forward_row, backward_row = (table[stage].astype(np.int64) for table in self._pass_rows)
        np.maximum.at(end, self.forward[stage].astype(np.int64), forward_row)
        predicted = np.zeros(len(born), dtype=np.int64)
        if self.mitigation.stash == "prediction":
            unit = (self.unit_horizons(stage) or (None,))[0]
            ahead = self.mitigation.steps_ahead(self.forward_horizon[stage], unit) > 0
            born = np.concatenate((born, forward_row[ahead]))
            end = np.concatenate((end, backward_row[ahead]))
            predicted = np.concatenate((predicted, np.ones(int(ahead.sum()), dtype=np.int64)))
        else:
            np.maximum.at(end, self.backward[stage].astype(np.int64), backward_row)
        return born, end, predicted

    @cached_property
    def _pass_rows(self) -> tuple[Ints, Ints]:
        """Rows of the forwards and of the backwards by (stage, micro-batch)."""
        return self.program.row_of(Op.F), self.program.row_of(Op.B, Op.I)

    @cached_property
    def versions_held(self) -> Ints:
        """Peak number of weight sets each stage holds at once."""
        program, held = self.program, np.zeros(0, dtype=np.int64)
        if self._reads_newest and self.mitigation.stash != "prediction":
            return np.ones(program.shape.stages, dtype=np.int64)
        if program.compiled and self.mitigation.stash != "prediction":
            held = compiled(peaks)(
                *self._pass_rows, program.row_of(Op.U), as_narrow(self.forward),
                as_narrow(self.backward), program.shape.microbatches, len(program))
        return held if len(held) else np.array([self._peak(k) for k in range(program.shape.stages)])

    @property
    def _reads_newest(self) -> bool:
        """Whether it is plain that no pass reads another version than the newest."""
        return self.forward is self.forward_latest and self.backward is self.backward_latest

    def _peak(self, stage: int) -> int:
        """Most weight sets held while any one row executes."""
        born, end, predicted = self.holdings(stage)
        device = self.program.home[0, stage]  # no other rows make or drop anything of the stage
        first, stop = self.program.offsets[device : device + 2]
        more, less = (np.bincount(np.clip(rows, first, stop) - first, minlength=stop - first + 1)
                      for rows in (born + 1 - predicted, end + 1))
        return int(np.cumsum(more - less)[:-1].max())


def _table(versions: Ints, shape: tuple[int, ...]) -> Ints:
    """What a mitigation answers as a table: the very one it was given, where it gives that back."""
    plain = isinstance(versions, np.ndarray) and versions.flags.c_contiguous
    return versions if plain and versions.shape == shape else np.array(
        np.broadcast_to(versions, shape))


def _newest(program: Program) -> tuple[Ints, Ints, Ints]:
    """Newest versions at each forward, backward and update, by (stage, micro-batch)."""
    if program.compiled:
        forward, backward, applied = compiled(newest)(
            *program.rows, program.shape.stages, program.shape.total)
        return forward, backward, applied
    done = _updates_before(program)
    forward, backward, applied = (done[program.row_of(*ops)]
                                  for ops in ((Op.F,), (Op.B, Op.I), (Op.U,)))
    return forward, backward, applied


def _updates_before(program: Program) -> Ints:
    """For each row the updates of its stage that precede it in its stream."""
    stage, is_update = program.rows.stage, program.rows.op == Op.U
    if (stage[1:] >= stage[:-1]).all():
        return _counted_before(stage, is_update)
    order = np.argsort(stage, kind="stable")
    before = np.empty(len(program), dtype=np.int32)
    before[order] = _counted_before(stage[order], is_update[order])
    return before


def _counted_before(stage: Ints, is_update: NDArray[np.bool_]) -> Ints:
    """The same of rows sorted by stage."""
    counted = np.cumsum(is_update.astype(np.int32), dtype=np.int32)
    counted -= is_update
    first = np.concatenate(([0], np.flatnonzero(stage[1:] != stage[:-1]) + 1))
    counted -= np.repeat(counted[first], np.diff(first, append=len(stage)))
    return counted


def _refuse_missing(mitigation: str, name: str, read: Ints, newest: Ints) -> None:
    if (read > newest).any():
        stage, micro = np.argwhere(read > newest)[0]
        raise ValueError(
            f"mitigation {mitigation!r} needs version {read[stage, micro]} for the {name} of "
            f"micro-batch {micro} on stage {stage}, where only {newest[stage, micro]} exists"
        )
