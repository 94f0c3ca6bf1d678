"""Putting generated text between a document's markers: `<!-- name -->` … `<!-- /name -->`."""

from __future__ import annotations

import re
from pathlib import Path

from sim.errors import ConfigurationError
from sim.files.reading import text_of
from sim.files.writing import write_text


def splice(path: Path, name: str, text: str) -> None:
    """Replace what stands between the markers of `name` in a document.

    Raises ConfigurationError where they are not there.
    """
    document = text_of(path)
    between = re.compile(rf"(<!-- {name} -->\n).*?(<!-- /{name} -->)", re.DOTALL)
    if not between.search(document):
        raise ConfigurationError([f"{path}: has no markers <!-- {name} --> … <!-- /{name} -->"])
    write_text(path, between.sub(lambda m: m.group(1) + text + m.group(2), document))
