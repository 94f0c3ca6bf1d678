"""The trace: one row per executed instruction, as columns, with a header that explains the run.

The file is a NumPy `.npz`: an array per column, an array per curve (`curve/<name>`), and the
header as JSON text in the array `header`.  It is the contract between the rooms.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sim.arrays import NARROW, Floats, Ints
from sim.errors import InputError, InvalidProgramError, OutputError, TraceError, missing_part
from sim.files.writing import atomic_file
from sim.header import TraceHeader
from sim.op import Op
from sim.order.columns import Instructions
from sim.order.instruction import Instruction
from sim.order.program import Program
from sim.order.replicated import own_index
from sim.order.shape import PipelineShape
from sim.order.streams import NO_PAIRS
from sim.trace_file.archive import Archive, archive, check_fits
from sim.trace_file.columns import COLUMNS, HOST_COLUMNS, PAIR_COLUMNS
from sim.trace_file.content import check_columns, check_curves, check_versions
from sim.trace_file.heading import check_header

FORMAT, VERSION = "pipestale-trace", 1
CURVE = "curve/"
__all__ = ["COLUMNS", "FORMAT", "HOST_COLUMNS", "PAIR_COLUMNS", "VERSION", "Trace"]


@dataclass(frozen=True, eq=False)
class Trace:
    """A recorded run: a row per executed instruction, curves of the training, and a header.

    Columns have shape (rows,), with rows device by device, each device's in its order; what each
    means is in `COLUMNS`.  Names in `_s` are seconds from the start of the run.  `curves` holds
    arrays by name, such as the loss of each mini-batch, shape (mini-batches,).  The columns in
    `HOST_COLUMNS` are None where hosts are not told apart from devices, those in `PAIR_COLUMNS`
    where nothing is issued as a pair (see `sim.order.together`): of one both rows have the pair's
    start and end.
    """

    header: TraceHeader
    device: Ints
    op: Ints
    stage: Ints
    index: Ints
    count: Ints
    start_s: Floats
    end_s: Floats
    sent_s: Floats
    arrived_s: Floats
    version_read: Ints
    version_applied: Ints
    staleness: Floats
    effective_staleness: Floats
    weight_distance: Floats
    weight_rmse: Floats
    curves: dict[str, NDArray[Any]] = field(default_factory=dict)
    asked_s: Floats | None = None
    issued_s: Floats | None = None
    paired: Ints | None = None

    @property
    def columns(self) -> dict[str, tuple[str, str]]:
        """The columns that this trace has, as `COLUMNS` lists them."""
        return (COLUMNS | (HOST_COLUMNS if self.asked_s is not None else {})
                | (PAIR_COLUMNS if self.paired is not None else {}))

    @property
    def with_previous(self) -> NDArray[np.bool_]:
        """Whether each row is the second of a pair that ran as one, shape (rows,).

        A pair may also run as its two passes, one after the other (`sim.times.expanded`).
        """
        found = np.zeros(len(self), dtype=bool)
        if self.paired is not None:
            first, second = np.flatnonzero(self.paired).reshape(-1, 2).T
            found[second[self.start_s[second] < self.end_s[first]]] = True
        return found

    @property
    def busy_s(self) -> Floats:
        """Seconds for which each row keeps its device busy, shape (rows,): of a pair that ran as
        one the first has all."""
        seconds: Floats = self.end_s - self.start_s
        if self.paired is not None:
            seconds[self.with_previous] = 0.0
        return seconds

    def __len__(self) -> int:
        return len(self.op)

    @property
    def shape(self) -> PipelineShape:
        """How large the pipeline was: its stages, mini-batches, micro-batches and workers."""
        return self.header.shape

    @property
    def minibatch(self) -> Ints:
        """Mini-batch of each row, from 1, shape (rows,)."""
        return self.index // self.shape.microbatches + 1

    def minibatch_of(self, row: int) -> int:
        """Mini-batch of one row, from 1; all rows at once are `minibatch`."""
        return int(self.index[row]) // self.shape.microbatches + 1

    def first_worker(self) -> Trace:
        """The part of the trace that is worker 0's, see `of_worker`."""
        return self.of_worker(0)

    def of_worker(self, number: int) -> Trace:
        """The part of the trace that is one worker's (from 0), its micro-batches as it counts them.

        The trace itself where that is the only worker.
        """
        shape = self.shape
        if shape.workers == 1:
            return self
        rows = self.device // shape.worker_devices == number
        columns = {name: getattr(self, name)[rows] for name in self.columns}
        columns["index"] = own_index(columns["index"], shape)
        header = replace(self.header, shape=shape.of_worker)
        return Trace(header, **columns, curves=self.curves)

    def program(self) -> Program:
        """The order that was executed, to be replayed under other times or on another backend.

        Raises InvalidProgramError where the rows are no complete program.
        """
        counts = np.bincount(self.device, minlength=self.shape.devices)
        named: Sequence[Ints] = (self.op, self.stage, self.index, self.count)
        if (self.device[1:] < self.device[:-1]).any():
            order = np.argsort(self.device, kind="stable")
            named = [column[order] for column in named]
        rows = Instructions(*(column.astype(NARROW) for column in named))
        return Program.of(self.shape, rows, tuple(int(end) for end in np.cumsum([0, *counts])),
                          pairs=self._pairs())

    def _pairs(self) -> Ints:
        """What is issued as one, as programs have it: see `sim.order.together`."""
        if self.paired is None:
            return NO_PAIRS
        both = np.flatnonzero(self.paired).reshape(-1, 2)
        pairs: Ints = np.stack([column.astype(np.int64)[both]
                                for column in (self.op, self.stage, self.index)], axis=-1)
        return pairs

    def instruction(self, row: int) -> Instruction:
        """The instruction that a row is the execution of."""
        return Instruction(int(self.stage[row]), Op(int(self.op[row])), int(self.index[row]),
                           int(self.count[row]))

    def __repr__(self) -> str:
        shape, header = self.shape, self.header
        schedule = header.experiment.get("pipeline", {}).get("schedule", "an order")
        return (f"Trace of {shape.stages} stages on {shape.devices} devices, "
                f"{shape.minibatches} mini-batches: {len(self)} spans\n"
                f"{schedule}, {header.mitigation}, seed {header.seed}\n"
                f"makespan {self.end_s.max(initial=0.0):.6g} s")

    def to_pandas(self) -> Any:
        """The spans as a pandas data frame: a row each, `op` by its letters, seconds from 0.

        `minibatch` (from 1) stands beside `index`.  Raises MissingPartError without pandas.
        """
        try:
            from pandas import DataFrame
        except ImportError as error:
            raise missing_part(error) or error from None
        columns = {name: getattr(self, name) for name in self.columns}
        return DataFrame(columns | {"op": [Op(op).name for op in self.op.tolist()],
                                    "minibatch": self.minibatch})

    def save(self, path: str | Path) -> None:
        """Write the trace's file, complete or not at all; equal traces give equal bytes.

        Raises OutputError, also where the pipeline is larger than the columns' numbers go.
        """
        shape = self.shape
        for name, many in (("device", shape.devices), ("stage", shape.stages),
                           ("index", shape.total)):
            most = int(np.iinfo(COLUMNS[name][0]).max) + 1
            if many > most:
                raise OutputError(f"{path}: column {name} has room for {most}, got {many}")
        arrays = {name: getattr(self, name).astype(dtype)
                  for name, (dtype, _) in self.columns.items()}
        arrays |= {f"{CURVE}{name}": values for name, values in self.curves.items()}
        with atomic_file(path) as handle:
            np.savez_compressed(handle, header=np.array(self.header_json()), **arrays)

    def header_json(self) -> str:
        """The header as the JSON text that stands in a file, with the file's format and version."""
        header = {"format": FORMAT, "version": VERSION, **self.header.as_dict()}
        return json.dumps(header, sort_keys=True)

    @classmethod
    def load(cls, path: str | Path) -> Trace:
        """Read and check a trace's file.  Raises TraceError with what is wrong with it."""
        try:
            with archive(path) as file:
                return cls._read(file)
        except TraceError as error:
            raise TraceError(f"{path}: {error}") from None
        except InvalidProgramError as error:
            raise TraceError(f"{path}: the rows are no complete program: {error.rule}") from None
        except InputError as error:
            raise TraceError(str(error)) from None
        except MemoryError:
            raise
        except Exception:  # a damaged archive can make its readers raise anything
            raise TraceError(f"{path}: not a {FORMAT} file (.npz)") from None

    @classmethod
    def _read(cls, file: Archive) -> Trace:
        """The trace in an open archive.  Raises TraceError or InvalidProgramError."""
        table = dict(json.loads(file.text("header")))
        found = table.pop("format"), table.pop("version")
        if found != (FORMAT, VERSION):
            raise TraceError(f"{found[0]} version {found[1]}; this tool reads {FORMAT} version "
                             f"{VERSION}")
        columns = dict(COLUMNS)
        for more in (HOST_COLUMNS, PAIR_COLUMNS):
            columns |= more if set(more) & set(file.names) else {}
        missing = sorted(set(columns) - set(file.names))
        if missing:
            raise TraceError(f"columns are missing: {', '.join(missing)}")
        header = TraceHeader.of(table)
        rows = file.rows("op")
        check_fits(rows, sum(np.dtype(dtype).itemsize for dtype, _ in columns.values()))
        check_header(header)
        values: dict[str, Any] = {name: file.column(name, dtype, rows)
                                  for name, (dtype, _) in columns.items()}
        check_columns(values, header.shape, simulated=header.gpu is None)
        trace = cls(header, **values)
        program = trace.program()
        check_versions(values, header.shape, several=program.several)
        curves = {name.removeprefix(CURVE): file.curve(name, header.shape.minibatches)
                  for name in file.names if name.startswith(CURVE)}
        check_curves(curves, header.shape)
        return replace(trace, curves=curves)
