"""Which weight version every pass reads: computed from the program, without a clock."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from sim.arrays import NARROW, Ints, narrowed
from sim.kernels.pairs import NUMPY, Kernels
from sim.kernels.versions import HELD, NEWEST, Passes, Versions
from sim.mitigations import Mitigation, Reads
from sim.op import Op
from sim.order.program import Program
from sim.order.time_units import has_time_units, unit_horizon


@dataclass(frozen=True)
class VersionPlan:
    """Which weight version every pass of one program reads under one mitigation.

    `forward`/`backward` are the versions read, `forward_latest`/`backward_latest` the newest ones
    there at that moment, `applied` the version just before the mini-batch's own update.  A
    version counts the updates of its stage, from 0; of a stage that has several copies, those of
    the copy that does the micro-batch.  Arrays have shape (stages, micro-batches), and methods
    take the number of a copy in `program.copies`, a stage's where it has one.
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
    def of(cls, program: Program, mitigation: Mitigation, schedule: str = "",
           kernels: Kernels = NUMPY) -> VersionPlan:
        """The versions that `mitigation` makes the passes of `program` read.

        `schedule` is the name of the program's, since SpecTrain's time units are round-robin's.

        Raises ValueError when a pass would read a version that does not exist yet.
        """
        forward_latest, backward_latest, applied = _newest(program, kernels)
        micro = np.arange(program.shape.total, dtype=NARROW)
        entry = np.broadcast_to(forward_latest[0] if _in_step(program) else NARROW(-1),
                                forward_latest.shape)
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

    @property
    def in_step(self) -> bool:
        """Whether the same version number means the same updates on all stages.

        It does where every copy does every mini-batch's update; replicas do only those of their
        own mini-batches.
        """
        return _in_step(self.program)

    def unit_horizons(self, stage: int) -> tuple[int, int] | None:
        """SpecTrain's `s` of a stage's forwards and backwards; None where it is undefined."""
        shape = self.program.shape
        if not has_time_units(self.schedule, shape):
            return None
        return (unit_horizon(Op.F, stage, shape.stages), unit_horizon(Op.B, stage, shape.stages))

    @property
    def forward_horizon(self) -> Ints:
        """Updates from the newest weights when a forward runs to its mini-batch's own update.

        Shape (stages, micro-batches).
        """
        return self.applied - self.forward_latest

    @property
    def backward_horizon(self) -> Ints:
        """Updates from the newest weights when a backward runs to its mini-batch's own update.

        Shape (stages, micro-batches).
        """
        return self.applied - self.backward_latest

    def of_copy(self, table: Ints, copy: int) -> Ints:
        """What a table, (stages, micro-batches), has of the micro-batches that a copy does.

        Shape (micro-batches of the copy,).
        """
        copies = self.program.copies
        own: Ints = table[copies.stage[copy]]
        return own[copies.does(copy)] if self.program.several else own

    def readers_of(self, copy: int) -> Ints:
        """How many passes of a copy read each version, shape (versions,)."""
        versions = self.program.shape.minibatches + 1
        counts = np.bincount(self.of_copy(self.forward, copy), minlength=versions)
        if self.mitigation.stash != "prediction":
            counts += np.bincount(self.of_copy(self.backward, copy), minlength=versions)
        return counts

    def holdings(self, copy: int) -> tuple[Ints, Ints, Ints]:
        """Every weight set that a copy ever holds: when it is made, when dropped, and its kind.

        Three arrays of shape (weight sets,).  The first two are rows: a version is made at the end
        of an update (−1: before the run) and dropped at the end of the row after which it is
        neither newest nor to be read again (`len(program)`: never).  The third is 1 for a stashed
        prediction that differs from the weights, which is held from the start of its forward to
        the end of its backward, and 0 for a version.
        """
        program, passes = self.program, self.passes
        updates = np.unique(self.of_copy(passes.update, copy)).astype(np.int64)
        born = np.concatenate(([-1], updates))
        end = np.concatenate((updates, [len(program)]))
        forward_row, backward_row = (self.of_copy(table, copy).astype(np.int64)
                                     for table in (passes.forward, passes.backward))
        np.maximum.at(end, self.of_copy(self.forward, copy).astype(np.int64), forward_row)
        predicted = np.zeros(len(born), dtype=np.int64)
        if self.mitigation.stash == "prediction":
            unit = (self.unit_horizons(int(program.copies.stage[copy])) or (None,))[0]
            ahead = self.mitigation.steps_ahead(self.of_copy(self.forward_horizon, copy), unit) > 0
            born = np.concatenate((born, forward_row[ahead]))
            end = np.concatenate((end, backward_row[ahead]))
            predicted = np.concatenate((predicted, np.ones(int(ahead.sum()), dtype=np.int64)))
        else:
            np.maximum.at(end, self.of_copy(self.backward, copy).astype(np.int64), backward_row)
        return born, end, predicted

    def passing(self, copy: int) -> Ints:
        """The rows of a copy whose passes compute with passing weights: with those it never holds.

        Shape (passes that do,), ascending.  They are a prediction that nobody stashes, or an
        interpolation, and live while the pass runs; of a pass over several micro-batches, which
        makes them one after another, they are one set.  A pass that is predicted no update ahead,
        or whose share of stale weights is 0 or 1, computes with a version and needs none.
        """
        rule, rows = self.mitigation, [np.zeros(0, dtype=np.int64)]
        units = self.unit_horizons(int(self.program.copies.stage[copy])) or (None, None)
        passes = self.passes
        if rule.predicts and rule.stash != "prediction":
            for table, horizon, unit in ((passes.forward, self.forward_horizon, units[0]),
                                         (passes.backward, self.backward_horizon, units[1])):
                own = self.of_copy(horizon, copy)
                ahead = np.broadcast_to(rule.steps_ahead(own, unit) > 0, own.shape)
                rows.append(self.of_copy(table, copy)[ahead])
        if rule.interpolates:
            gaps = self.of_copy(self.backward_latest - self.backward, copy)
            between = np.zeros(int(gaps.max(initial=0)) + 1, dtype=bool)
            for gap in np.flatnonzero(np.bincount(gaps)).tolist():
                between[gap] = 0 < rule.effective_staleness(gap) < gap
            rows.append(self.of_copy(passes.backward, copy)[between[gaps]])
        return np.unique(np.concatenate(rows)).astype(np.int64)

    @property
    def passes(self) -> Passes:
        """Where the program's forwards, backwards and updates are, see `passes_of`."""
        return passes_of(self.program)

    @property
    def versions(self) -> Versions:
        """Versions read and applied as kernels take them: narrow, (stages, micro-batches)."""
        return Versions(narrowed(self.forward), narrowed(self.backward), narrowed(self.applied))

    @property
    def versions_held(self) -> Ints:
        """Peak number of weight sets each stage holds at once, shape (stages,).

        Of a stage that has several copies, the most of any.
        """
        return self.held()

    def held(self, kernels: Kernels = NUMPY) -> Ints:
        """Peak number of weight sets each stage holds at once, shape (stages,).

        One pass over all stages counts them; where it refuses, predictions are held too or stages
        have several copies, they are counted copy by copy from when each is made and dropped.
        """
        stages, held = self.program.shape.stages, np.zeros(0, dtype=np.int64)
        if self.mitigation.stash != "prediction":
            if self._reads_newest:
                return np.ones(stages, dtype=np.int64)
            if not self.program.several:
                held = kernels.of(HELD)(self.passes, self.versions,
                                        self.program.shape.microbatches, len(self.program))
        if len(held):
            return held
        most, copies = np.zeros(stages, dtype=np.int64), self.program.copies
        np.maximum.at(most, copies.stage, [self._peak(copy) for copy in range(len(copies))])
        return most

    @property
    def _reads_newest(self) -> bool:
        """Whether it is plain that no pass reads another version than the newest."""
        return self.forward is self.forward_latest and self.backward is self.backward_latest

    def _peak(self, copy: int) -> int:
        """Most weight sets held while any one row executes."""
        born, end, predicted = self.holdings(copy)
        device = self.program.copies.device[copy]  # no other rows make or drop anything of it
        first, stop = self.program.offsets[device : device + 2]
        more, less = (np.bincount(np.clip(rows, first, stop) - first, minlength=stop - first + 1)
                      for rows in (born + 1 - predicted, end + 1))
        return int(np.cumsum(more - less)[:-1].max())


def _table(versions: Ints, shape: tuple[int, ...]) -> Ints:
    """What a mitigation answers as a table: the very one it was given, where it gives that back."""
    plain = isinstance(versions, np.ndarray) and versions.flags.c_contiguous
    return versions if plain and versions.shape == shape else np.array(
        np.broadcast_to(versions, shape))


def passes_of(program: Program) -> Passes:
    """In which rows of a program its forwards, backwards and updates are.

    Tables of shape (stages, micro-batches); a split backward stands for its input half.
    """
    return Passes(program.row_of(Op.F), program.row_of(Op.B, Op.I), program.row_of(Op.U))


def _newest(program: Program, kernels: Kernels) -> Versions:
    """Updates of its copy before each forward, backward and update."""
    if not program.several:
        found: Versions = kernels.of(NEWEST)(*program.rows, passes_of(program))
        return found
    op, _, index, count = program.rows
    of_copies: Versions = NUMPY.of(NEWEST)(op, program.copy_of_rows, index, count,
                                           passes_of(program))
    return of_copies


def _in_step(program: Program) -> bool:
    """Whether each copy of a program updates every mini-batch."""
    if not program.several:
        return True
    copies, shape = program.copies, program.shape
    return all(len(copies.minibatches(copy, shape.microbatches)) == shape.minibatches
               for copy in range(len(copies)))


def _refuse_missing(mitigation: str, name: str, read: Ints, newest: Ints) -> None:
    if (read < 0).any():
        raise ValueError(
            f"mitigation {mitigation!r} reads the version that stage 0 had at entry, and replicas "
            "of a stage count only updates of their own")
    if (read > newest).any():
        stage, micro = np.argwhere(read > newest)[0]
        raise ValueError(
            f"mitigation {mitigation!r} needs version {read[stage, micro]} for the {name} of "
            f"micro-batch {micro} on stage {stage}, where only {newest[stage, micro]} exists"
        )
