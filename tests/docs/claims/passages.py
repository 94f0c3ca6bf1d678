"""Passages of a document, the checks they name, and the numbers in them."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass

_GENERATED = re.compile(r"^<!-- (systems|rates|uneven|bench) -->$.*?^<!-- /\1 -->$",
                        re.DOTALL | re.MULTILINE)
_FENCED = re.compile(r"^```.*?^```$", re.DOTALL | re.MULTILINE)
_CHECK = re.compile(r"<!-- check: ([\w-]+) -->")
_SILENT = re.compile(r"`[^`\n]+`"  # code
                     r"|!\[[^\]]*\]\([^)]*\)|(?<=\])\([^)]*\)"  # pictures, and where links go
                     r"|\b\d{4}-\d{2}-\d{2}\b"  # dates
                     r"|95 % (?=\[|interval)")  # how an interval is written
_NUMBER = re.compile(r"(?<![\w.^+−-])[−-]?\d+(?:,\d{3})*(?:\.\d+)?(?![\w])")


@dataclass(frozen=True)
class Passage:
    """Text up to a check, or to the end of its block, where it names none."""

    text: str
    check: str | None
    listed: bool  # an item of a list or a row of a table: it states something

    @property
    def numbers(self) -> list[str]:
        """The numbers in it, as they are written; none of code, dates, links and names."""
        return numbers(self.text)


def numbers(text: str) -> list[str]:
    return [found.replace("-", "−") for found in _NUMBER.findall(_SILENT.sub("", text))]


def passages(document: str) -> Iterator[Passage]:
    """The passages of a Markdown document, without its code and its generated tables."""
    text = _FENCED.sub("", _GENERATED.sub("", document))
    for block in re.split(r"\n\s*\n|\n(?=- |\d+\. |\|)", text):
        if block.lstrip().startswith(("#", "![")) or set(block.strip()) <= set("|-: "):
            continue
        *checked, rest = re.split(r"(?<=-->)", _closed(block))
        listed = bool(re.match(r"\s*(- |\d+\. |\|)", block))
        for part in checked:
            found = _CHECK.search(part)
            yield Passage(_CHECK.sub("", part), found and found[1], listed)
        if rest.strip(" |\n"):
            yield Passage(rest, None, listed and not checked)


def _closed(block: str) -> str:
    """Comments that are no checks say nothing."""
    return re.sub(r"<!-- (?!check:).*?-->", "", block, flags=re.DOTALL)


def header(document: str) -> set[str]:
    """The first rows of tables, which name columns and state nothing."""
    return set(re.findall(r"^(\|.*\|)\n\|[-:| ]+\|$", document, flags=re.MULTILINE))
