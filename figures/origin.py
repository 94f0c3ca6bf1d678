"""Where a picture comes from: its data beside it, its command and configuration inside it."""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

from matplotlib.figure import Figure

from sim.files.writing import atomic_file, write_whole
from sim.rows import rows_as_csv
from sim.wording import readable

FORMATS = ("png", "svg", "pdf")
DESCRIPTION = "{http://purl.org/dc/elements/1.1/}description"
SUBJECT = re.compile(rb"/Subject \(((?:\\.|[^\\)])*)\)", re.DOTALL)


@dataclass(frozen=True)
class Origin:
    """What made a picture: the command, the configuration, and the data drawn (their SHA-256).

    In the file it is JSON text, plain ASCII: PNG and SVG carry it as `Description`, PDF as
    `Subject`.
    """

    command: str
    configuration: Mapping[str, Any] | None
    data_sha256: str


def paths(out: Path, name: str) -> list[Path]:
    """The files that `save` writes for a picture: one in each format, its data last."""
    return [out / f"{name}.{kind}" for kind in (*FORMATS, "csv")]


def save(figure: Figure, rows: Sequence[Mapping[str, Any]], out: Path, name: str, command: str,
         configuration: Mapping[str, Any] | None = None) -> list[Path]:
    """Write a picture in every format, and its data as CSV; their paths.

    No date is in them, so equal data give equal files.
    """
    written = paths(out, name)
    table = rows_as_csv(rows).encode()
    origin = Origin(command, configuration, hashlib.sha256(table).hexdigest())
    for path, kind in zip(written, FORMATS, strict=False):
        with atomic_file(path) as file:
            figure.savefig(file, format=kind, metadata=_metadata(name, origin, kind))
    write_whole(written[-1], table)
    return written


def _metadata(name: str, origin: Origin, kind: str) -> dict[str, Any]:
    text = json.dumps(asdict(origin), allow_nan=False)
    title = readable(name)
    undated: dict[str, Any] = {"png": {}, "svg": {"Date": None}, "pdf": {"CreationDate": None}}
    return {"Title": title, "Subject" if kind == "pdf" else "Description": text, **undated[kind]}


def read_origin(path: Path) -> Origin:
    """What a PNG, SVG or PDF that `save` made says of itself.  Raises ValueError where nothing."""
    kind = path.suffix.removeprefix(".")
    if kind not in FORMATS:
        raise ValueError(f"{path}: a picture is {', '.join(FORMATS)}")
    try:
        return Origin(**json.loads({"png": _png, "svg": _svg, "pdf": _pdf}[kind](path)))
    except (TypeError, ValueError, KeyError):
        raise ValueError(f"{path}: carries no origin") from None


def _png(path: Path) -> str:
    from PIL import Image

    with Image.open(path) as image:
        return str(image.info["Description"])


def _svg(path: Path) -> str:
    found = ElementTree.parse(path).find(f".//{DESCRIPTION}")
    return (found.text or "") if found is not None else ""


def _pdf(path: Path) -> str:
    found = SUBJECT.search(path.read_bytes())
    escaped = found.group(1) if found else b""
    return re.sub(rb"\\(.)", rb"\1", escaped, flags=re.DOTALL).decode("ascii")
