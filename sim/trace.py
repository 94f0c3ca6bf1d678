"""The trace: one row per executed instruction, as columns, with a header that explains the run.

The file is a NumPy `.npz`: an array per column, an array per curve (`curve/<name>`), and the
header as JSON text in the array `header`.  It is the contract between the rooms.
"""

from __future__ import annotations

import json
import os
import tempfile
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from sim.arrays import Floats, Ints
from sim.errors import TraceError, missing_part
from sim.op import Op
from sim.order.instruction import Instruction
from sim.order.replicated import own_index
from sim.order.shape import PipelineShape

FORMAT, VERSION = "pipestale-trace", 1

# name, dtype, meaning; NaN and −1 stand for "does not apply"
COLUMNS: dict[str, tuple[str, str]] = {
    "device": ("int16", "device that executed it"),
    "op": ("int8", "operation, numbered as in sim.order.instruction.Op"),
    "stage": ("int16", "stage"),
    "index": ("int32", "first micro-batch covered, from 0 over the whole run"),
    "count": ("int32", "micro-batches covered"),
    "start_s": ("float64", "start"),
    "end_s": ("float64", "end"),
    "sent_s": ("float64", "when the message it needs left its producer (NaN: none)"),
    "arrived_s": ("float64", "when that message was here (NaN: none)"),
    "version_read": ("int32", "weight version read (oldest, where a pass covers several)"),
    "version_applied": ("int32", "version just before the mini-batch's own update"),
    "staleness": ("float64", "updates between the two (mean over what the pass covers)"),
    "effective_staleness": ("float64", "the same for interpolated weights"),
    "weight_distance": ("float64", "weights used against fresh ones, relative (NaN: unknown)"),
    "weight_rmse": ("float64", "weights used against fresh ones, RMSE (NaN: unknown)"),
}


@dataclass(frozen=True, eq=False)
class Trace:
    """Columns of spans, curves of the training, and the header (resolved configuration, seed,
    library versions, sizes).  Rows are in program order: device by device, each in its order."""

    header: dict[str, Any]
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

    def __len__(self) -> int:
        return len(self.op)

    @property
    def shape(self) -> PipelineShape:
        return PipelineShape(**self.header["shape"])

    @property
    def minibatch(self) -> Ints:
        """Mini-batch of each row, from 1."""
        return self.index // self.shape.microbatches + 1

    def first_worker(self) -> Trace:
        """The rows of the first worker in its own numbering; all of them where it is alone."""
        shape = self.shape
        if shape.workers == 1:
            return self
        rows = self.device < shape.worker_devices
        columns = {name: getattr(self, name)[rows] for name in COLUMNS}
        columns["index"] = own_index(columns["index"], shape)
        header = {**self.header, "shape": shape.of_worker.as_dict()}
        return Trace(header, **columns, curves=self.curves)

    def instruction(self, row: int) -> Instruction:
        return Instruction(int(self.stage[row]), Op(int(self.op[row])), int(self.index[row]),
                           int(self.count[row]))

    def __repr__(self) -> str:
        shape, header = self.shape, self.header
        schedule = header.get("experiment", {}).get("pipeline", {}).get("schedule", "an order")
        return (f"Trace of {shape.stages} stages on {shape.devices} devices, "
                f"{shape.minibatches} mini-batches: {len(self)} spans\n"
                f"{schedule}, {header.get('mitigation')}, seed {header.get('seed')}\n"
                f"makespan {self.end_s.max(initial=0.0):.6g} s")

    def to_pandas(self) -> Any:
        """The spans as a pandas data frame: a row each, `op` by its letters, seconds from 0.

        `minibatch` (from 1) stands beside `index`.  Raises MissingPartError without pandas.
        """
        try:
            from pandas import DataFrame
        except ImportError as error:
            raise missing_part(error) or error from None
        columns = {name: getattr(self, name) for name in COLUMNS}
        return DataFrame(columns | {"op": [Op(op).name for op in self.op.tolist()],
                                    "minibatch": self.minibatch})

    def save(self, path: str | Path) -> None:
        """Write atomically; equal traces give equal bytes."""
        header = {"format": FORMAT, "version": VERSION, **self.header}
        arrays = {name: getattr(self, name).astype(dtype) for name, (dtype, _) in COLUMNS.items()}
        arrays |= {f"curve/{name}": values for name, values in self.curves.items()}
        text = np.array(json.dumps(header, sort_keys=True))
        with atomic_file(path) as handle:
            np.savez_compressed(handle, header=text, **arrays)

    @classmethod
    def load(cls, path: str | Path) -> Trace:
        """Raises TraceError with what is wrong with the file."""
        try:
            with np.load(path, allow_pickle=False) as file:
                arrays = {name: file[name] for name in file.files}
            header = dict(json.loads(str(arrays.pop("header"))))
            found = header.pop("format"), header.pop("version")
        except FileNotFoundError:
            raise TraceError(f"{path}: there is no such file") from None
        except Exception:  # a damaged archive can make its readers raise anything
            raise TraceError(f"{path}: not a {FORMAT} file (.npz)") from None
        if found != (FORMAT, VERSION):
            raise TraceError(f"{path}: {found[0]} version {found[1]}; this tool reads {FORMAT} "
                             f"version {VERSION}")
        missing = sorted(set(COLUMNS) - set(arrays))
        if missing:
            raise TraceError(f"{path}: columns are missing: {', '.join(missing)}")
        odd = [name for name in COLUMNS if arrays[name].shape != (arrays["op"].size,)]
        if odd:
            raise TraceError(f"{path}: columns differ in length: {', '.join(odd)}")
        curves = {name.removeprefix("curve/"): values for name, values in arrays.items()
                  if name.startswith("curve/")}
        trace = cls(header, **{name: arrays[name] for name in COLUMNS}, curves=curves)
        try:
            _ = trace.shape
        except (KeyError, TypeError, ValueError):
            raise TraceError(f"{path}: the header lacks the pipeline's shape") from None
        return trace


class atomic_file:  # noqa: N801 - used as a function
    """A binary file that appears under its name complete, or not at all."""

    def __init__(self, path: str | Path) -> None:
        self.path = Path(path)

    def __enter__(self) -> Any:
        self.path.parent.mkdir(parents=True, exist_ok=True)
        number, self.temporary = tempfile.mkstemp(dir=self.path.parent, prefix=self.path.name)
        self.handle = os.fdopen(number, "wb")
        return self.handle

    def __exit__(self, kind: object, *_: object) -> None:
        self.handle.close()
        if kind is None:
            os.chmod(self.temporary, 0o644)
            os.replace(self.temporary, self.path)
        else:
            os.unlink(self.temporary)
