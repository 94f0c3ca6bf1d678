"""A trace as Parquet: every column with its unit and meaning, the header in the metadata.

Needs pyarrow, the optional extra `parquet`.
"""

from __future__ import annotations

import io
from typing import Any

from sim.errors import missing_part
from sim.op import Op
from sim.trace import COLUMNS, Trace

METADATA = "pipestale"  # key of the header's JSON beside pyarrow's own


def write(trace: Trace) -> bytes:
    """A trace as a Parquet file, a row per instruction in program order.

    `op` is by name, `minibatch` (from 1) stands beside `index`.  Raises MissingPartError where
    pyarrow is not installed.
    """
    pyarrow, parquet = _library()
    fields, columns = [], []
    for name, kind, values, unit, meaning in _columns(trace):
        column = pyarrow.array(values, type=None if kind == "op" else getattr(pyarrow, kind)())
        column = column.dictionary_encode() if kind == "op" else column
        about = {"unit": unit, "meaning": meaning}
        fields.append(pyarrow.field(name, column.type, metadata=about))
        columns.append(column)
    schema = pyarrow.schema(fields, metadata={METADATA: trace.header_json()})
    out = io.BytesIO()
    parquet.write_table(pyarrow.table(columns, schema=schema), out)
    return out.getvalue()


def _columns(trace: Trace) -> list[tuple[str, str, Any, str, str]]:
    """Name, Arrow type, values, unit and meaning of each column."""
    found: list[tuple[str, str, Any, str, str]] = []
    for name, (kind, meaning) in COLUMNS.items():
        values = getattr(trace, name)
        if name == "op":
            found.append((name, "op", [Op(op).name for op in values.tolist()], "", meaning))
        else:
            found.append((name, kind, values.astype(kind), _unit(name), meaning))
    return [*found, ("minibatch", "int32", trace.minibatch.astype("int32"), "",
                     "mini-batch, from 1")]


def _unit(name: str) -> str:
    if name.endswith("_s"):
        return "s"
    return "updates" if name.startswith("version") or name.endswith("staleness") else ""


def _library() -> tuple[Any, Any]:
    try:
        import pyarrow
        from pyarrow import parquet
    except ImportError as error:
        raise missing_part(error) or error from None
    return pyarrow, parquet
