"""Putting generated text between a document's markers: `<!-- name -->` … `<!-- /name -->`."""

from __future__ import annotations

import re
from pathlib import Path


def splice(path: Path, name: str, text: str) -> None:
    """Replace what stands between the markers of `name` in a document.

    Raises ValueError where they are not there.
    """
    document = path.read_text()
    between = re.compile(rf"(<!-- {name} -->\n).*?(<!-- /{name} -->)", re.DOTALL)
    if not between.search(document):
        raise ValueError(f"{path} has no markers <!-- {name} --> … <!-- /{name} -->")
    path.write_text(between.sub(lambda m: m.group(1) + text + m.group(2), document))
