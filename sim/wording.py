"""Text for readers: counted nouns and Markdown tables."""

from __future__ import annotations

from collections.abc import Iterable, Sequence


def plural(count: int, noun: str) -> str:
    """A counted noun: `1 seed`, `3 seeds`."""
    return f"{count} {noun}{'s' * (count != 1)}"


def markdown_table(header: Sequence[str], rows: Iterable[Sequence[str]], rule: str = "---") -> str:
    """A Markdown table, ending in a line break; `rule` is a cell of the line under the header."""
    lines = [f"| {' | '.join(cells)} |" for cells in (header, *rows)]
    lines.insert(1, f"|{'|'.join([rule] * len(header))}|")
    return "\n".join(lines) + "\n"


def readable(name: str) -> str:
    """A file's name as text that any encoding of Unicode takes: bytes that are none by number."""
    return name.encode("utf-8", "backslashreplace").decode("utf-8")
