"""Traces: their bytes, their columns and their headers, at every door that reads one."""

from __future__ import annotations

import copy
import io
import json
import zipfile
from functools import cache
from pathlib import Path
from random import Random
from typing import Any

import numpy as np

from sim.experiment.configuration import resolve
from sim.experiment.run import run
from sim.trace import COLUMNS, HOST_COLUMNS, PAIR_COLUMNS
from tests.fuzz.case import Case
from tests.fuzz.mutate import damaged, damaged_bytes, extreme
from tests.fuzz.text import json_text

MEASURED = Path(__file__).parents[2] / "golden" / "measured.npz"
DOCUMENTS: tuple[dict[str, Any], ...] = (
    {"pipeline": {"stages": 2, "minibatches": 4, "mitigation": "stash"}},
    {"pipeline": {"schedule": "gpipe", "stages": 3, "minibatches": 2, "microbatches": 2},
     "cluster": {"latency_s": 0.5}},
    {"pipeline": {"schedule": "nf1b", "stages": 2, "minibatches": 3, "microbatches": 2,
                  "mitigation": "i-timeprest"}},
    {"pipeline": {"stages": 2, "minibatches": 4}, "workers": {"count": 2}},
    {"pipeline": {"schedule": "interleaved", "stages": 4, "chunks": 2, "minibatches": 2,
                  "microbatches": 2}, "training": {"task": "none"}})
Arrays = dict[str, Any]


@cache
def sound() -> tuple[Arrays, ...]:
    """The arrays of small traces, a measured one among them, as their files hold them."""
    found = []
    for document in DOCUMENTS:
        tiny = {**document, "training": {"batch_size": 4, "width": 2,
                                         **document.get("training", {})}}
        trace = run(resolve(tiny))
        arrays = {name: getattr(trace, name).astype(dtype)
                  for name, (dtype, _) in trace.columns.items()}
        arrays |= {f"curve/{name}": values for name, values in trace.curves.items()}
        found.append({"header": np.array(trace.header_json()), **arrays})
    with np.load(MEASURED) as file:
        found.append({name: file[name] for name in file.files})
    return tuple(found)


def packed(arrays: Arrays) -> bytes:
    """Arrays as a file of them."""
    file = io.BytesIO()
    np.savez(file, **arrays)
    return file.getvalue()


def header_of(arrays: Arrays) -> dict[str, Any]:
    """The header of a trace's arrays."""
    return dict(json.loads(str(arrays["header"])))


def damaged_file(rng: Random) -> Case:
    """A trace's file with bytes of it damaged, or another kind of archive."""
    content = packed(rng.choice(sound()))
    drawn = rng.random()
    if drawn < 0.85:
        content = damaged_bytes(content, rng)
    elif drawn < 0.95:
        content = rng.choice((b"PK\x03\x04", b"{}", _array(), _bomb(rng)))
    return _read(content, rng)


def _array() -> bytes:
    file = io.BytesIO()
    np.save(file, np.arange(4))
    return file.getvalue()


def _bomb(rng: Random) -> bytes:
    """A trace one of whose arrays says that it is larger than any memory."""
    arrays = rng.choice(sound())
    name = rng.choice(("extra", "start_s", "curve/loss", "header"))
    return with_claim({k: v for k, v in arrays.items() if k != name}, name)


def with_claim(arrays: Arrays, name: str, size: int = 10**12) -> bytes:
    """A file of arrays with one more, of which its head claims `size` floats and none are there."""
    file = io.BytesIO(packed(arrays))
    claim = io.BytesIO()
    np.lib.format.write_array_header_1_0(claim, {"descr": "<f8", "fortran_order": False,
                                                 "shape": (size,)})
    with zipfile.ZipFile(file, "a") as archive:
        archive.writestr(f"{name}.npy", claim.getvalue())
    return file.getvalue()


def damaged_content(rng: Random) -> Case:
    """A trace one of whose columns holds what no run does: it has to be refused."""
    arrays = dict(rng.choice(sound()))
    before = {name: array.copy() for name, array in arrays.items()}
    deed = rng.choice(DEEDS)
    deed(arrays, rng)
    same = arrays.keys() == before.keys() and all(
        before[n].dtype == arrays[n].dtype and before[n].tobytes() == arrays[n].tobytes()
        and before[n].shape == arrays[n].shape for n in before)
    return _read(packed(arrays), rng, refused=not same and deed not in UNREAD)


def _columns(arrays: Arrays) -> list[str]:
    return [name for name in (*COLUMNS, *HOST_COLUMNS, *PAIR_COLUMNS) if name in arrays]


def other_type(arrays: Arrays, rng: Random) -> None:
    name = rng.choice(_columns(arrays))
    kind = rng.choice((str, complex, bool, "S3", "M8[s]", "V8", "float16", "uint64"))
    arrays[name] = np.zeros(len(arrays[name]), dtype=kind)


def other_length(arrays: Arrays, rng: Random) -> None:
    name = rng.choice(_columns(arrays))
    column = arrays[name]
    arrays[name] = rng.choice((column[:-1], column[:0], np.append(column, column[-1:]),
                               column.reshape(1, -1), column[0]))


def not_a_number(arrays: Arrays, rng: Random) -> None:
    column = _own(arrays, rng.choice(("start_s", "end_s")))
    column[rng.randrange(len(column))] = rng.choice((np.nan, np.inf, -np.inf, -1.0, 1e308))


def out_of_range(arrays: Arrays, rng: Random) -> None:
    name = rng.choice(("op", "device", "stage", "index", "count"))
    column = _own(arrays, name)
    column[rng.randrange(len(column))] = rng.choice((-1, -100, 100, 127))


def swapped(arrays: Arrays, rng: Random) -> None:
    arrays["start_s"], arrays["end_s"] = arrays["end_s"], arrays["start_s"]


def reversed_column(arrays: Arrays, rng: Random) -> None:
    name = rng.choice(("device", "start_s"))
    arrays[name] = arrays[name][::-1]


def versions_beyond(arrays: Arrays, rng: Random) -> None:
    name = rng.choice(("version_read", "version_applied"))
    column = _own(arrays, name)
    column[rng.choice(np.flatnonzero(column >= 0).tolist())] += rng.choice((1000, -1000))


def lacking(arrays: Arrays, rng: Random) -> None:
    del arrays[rng.choice([*COLUMNS, "header"])]


def objects(arrays: Arrays, rng: Random) -> None:
    name = rng.choice([*_columns(arrays), "header"])
    arrays[name] = np.array([{}] * arrays[name].size, dtype=object)


def odd_curve(arrays: Arrays, rng: Random) -> None:
    value: Any = rng.choice((np.array(["x"]), np.array(1.0), np.zeros((2, 2), complex),
                             np.array([np.nan, 1e308])))
    arrays[f"curve/{rng.choice(('loss', 'other', ''))}"] = value


def unknown_array(arrays: Arrays, rng: Random) -> None:
    arrays[rng.choice(("extra", "x/y", "π"))] = rng.choice(
        (np.zeros(3), np.array(["x"]), np.array({}, dtype=object)))


DEEDS = (other_type, other_length, not_a_number, out_of_range, swapped, reversed_column,
         versions_beyond, lacking, objects, odd_curve, unknown_array)
UNREAD = (unknown_array, odd_curve)  # what may be there, or is read by few


def _own(arrays: Arrays, name: str) -> Any:
    arrays[name] = arrays[name].copy()
    return arrays[name]


def damaged_header(rng: Random) -> Case:
    """A trace whose header is damaged as a tree, or is no JSON."""
    arrays = dict(rng.choice(sound()))
    header = copy.deepcopy(header_of(arrays))
    drawn = rng.random()
    if drawn < 0.3:
        key = rng.choice(("shape", "sizes", "seed", "versions_held", "training", "workers", "gpu"))
        if isinstance(header.get(key), dict) and rng.random() < 0.8:
            header[key] = damaged(header[key], rng)
        else:
            header[key] = extreme(rng)
        text = json_text(header)
    elif drawn < 0.95:
        text = json_text(damaged(header, rng, rng.randint(1, 2)))
    else:
        text = rng.choice(("", "[]", "null", "1", '"x"', "{", "[[" * 900))
    arrays["header"] = rng.choice((np.array(text),) * 9 + (np.array([text]), np.array(1.0)))
    return _read(packed(arrays), rng)


def _read(content: bytes, rng: Random, refused: bool = False) -> Case:
    """A case of a door that reads the trace `t.npz`."""
    json = ("--json",) if rng.random() < 0.7 else ()
    drawn = rng.random()
    files = {"t.npz": content}
    if drawn < 0.4:
        return Case("analysis", ("report", "t.npz", *json), files, refused=refused)
    if drawn < 0.55:
        pair = rng.choice((("t.npz", "s.npz"), ("s.npz", "t.npz"), ("t.npz", "t.npz")))
        files["s.npz"] = packed(rng.choice(sound()))
        return Case("analysis", ("compare", *pair, *json), files, refused=refused)
    if drawn < 0.85:
        form = rng.choice(("csv", "chrome", "torch-csv", "torch-csv-comms", "parquet"))
        return Case("analysis", ("export", "t.npz", "--format", form, "--out", "o"), files,
                    outputs=("o",), refused=refused)
    return Case("figures", ("explore", "t.npz", "--out", "o.html"), files, outputs=("o.html",),
                refused=refused)
