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

import matplotlib as mpl
from matplotlib.figure import Figure

from figures.drawing import pgf
from figures.drawing.look import FORMATS as EVERY
from figures.drawing.look import WRITTEN
from figures.drawing.style import WRITING
from sim.files.writing import atomic_file, write_whole
from sim.rows import rows_as_csv
from sim.wording import readable

FORMATS = WRITTEN  # of a picture, unless others are asked for
DESCRIPTION = "{http://purl.org/dc/elements/1.1/}description"
SUBJECT = re.compile(rb"/Subject \(((?:\\.|[^\\)])*)\)", re.DOTALL)
COMMENT = "%% pipestale: "  # begins the line of PGF that holds the origin


@dataclass(frozen=True)
class Origin:
    """What made a picture: the command, the configuration, and the data drawn (their SHA-256).

    In the file it is JSON text, plain ASCII: PNG and SVG carry it as `Description`, PDF as
    `Subject`, PGF as a comment in its first line.
    """

    command: str
    configuration: Mapping[str, Any] | None
    data_sha256: str


def paths(out: Path, name: str, formats: Sequence[str] = FORMATS) -> list[Path]:
    """The files that `save` writes for a picture: one in each format, its data last."""
    return [out / f"{name}.{kind}" for kind in (*formats, "csv")]


def save(figure: Figure, rows: Sequence[Mapping[str, Any]], out: Path, name: str, command: str,
         configuration: Mapping[str, Any] | None = None, formats: Sequence[str] = FORMATS
         ) -> list[Path]:
    """Write a picture in some formats, and its data as CSV; their paths.

    No date is in them, so equal data give equal files.  An image inside a PGF is a file beside it.
    """
    written = paths(out, name, formats)
    table = rows_as_csv(rows).encode()
    origin = Origin(command, configuration, hashlib.sha256(table).hexdigest())
    others: list[Path] = []
    with mpl.rc_context(WRITING):
        for path, kind in zip(written, formats, strict=False):
            if kind == "pgf":
                others += _write_pgf(figure, path, origin)
                continue
            with atomic_file(path) as file:
                figure.savefig(file, format=kind, metadata=_metadata(name, origin, kind))
    write_whole(written[-1], table)
    return [*written, *others]


def _write_pgf(figure: Figure, path: Path, origin: Origin) -> list[Path]:
    """Write a picture as PGF; the paths of the images that lie beside it."""
    (_, text), *images = pgf.written(figure, path.stem).items()
    write_whole(path, f"{COMMENT}{_text(origin)}\n".encode() + text)
    for name, content in images:
        write_whole(path.with_name(name), content)
    return [path.with_name(name) for name, _ in images]


def _text(origin: Origin) -> str:
    return json.dumps(asdict(origin), allow_nan=False)


def _metadata(name: str, origin: Origin, kind: str) -> dict[str, Any]:
    text, title = _text(origin), readable(name)
    undated: dict[str, Any] = {"png": {}, "svg": {"Date": None}, "pdf": {"CreationDate": None}}
    return {"Title": title, "Subject" if kind == "pdf" else "Description": text, **undated[kind]}


def read_origin(path: str | Path) -> Origin:
    """What a PNG, SVG, PDF or PGF that `save` made says of itself.

    Raises ValueError where it says nothing.
    """
    path = Path(path)
    kind = path.suffix.removeprefix(".")
    if kind not in EVERY:
        raise ValueError(f"{path}: a picture is {', '.join(EVERY)}")
    readers = {"png": _png, "svg": _svg, "pdf": _pdf, "pgf": _pgf}
    try:
        return Origin(**json.loads(readers[kind](path)))
    except (TypeError, ValueError, KeyError, ElementTree.ParseError):
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


def _pgf(path: Path) -> str:
    with path.open(encoding="utf-8") as file:
        return file.readline().removeprefix(COMMENT)
