"""The documents of this repository and their blocks of code, as a reader meets them."""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[2]
FOLDERS = (".", "sim", "gpu", "analysis", "figures", "tests/bench", ".github")
NAMES = sorted(str(path.relative_to(ROOT)) for folder in FOLDERS
               for path in (ROOT / folder).glob("*.md"))

_FENCED = re.compile(r"^```(\w*)\n(.*?)^```$", re.DOTALL | re.MULTILINE)
_FILE = re.compile(r"# ([\w./-]+\.(?:py|toml|txt|json))\n")
_INLINE = re.compile(r"(?<!`)`([^`\n]+)`(?!`)")


@dataclass(frozen=True)
class Block:
    """A fenced block; one whose first line is `# NAME.py` (or another ending) is a file."""

    language: str
    text: str
    line: int

    @property
    def file(self) -> str | None:
        found = _FILE.match(self.text)
        return found.group(1) if found else None


@dataclass(frozen=True)
class Command:
    """A line of a shell block, and in `console` blocks what the document says it prints."""

    line: str
    output: list[str] | None = None


def text_of(name: str) -> str:
    return (ROOT / name).read_text(encoding="utf-8")


def blocks(name: str) -> list[Block]:
    text = text_of(name)
    return [Block(found.group(1), found.group(2), text.count("\n", 0, found.start()) + 1)
            for found in _FENCED.finditer(text)]


def inline_code(name: str) -> list[str]:
    """What stands between single backticks, outside blocks."""
    return _INLINE.findall(_FENCED.sub("", text_of(name)))


def commands(block: Block) -> list[Command]:
    """Those of a `bash` block, a line each, or of a `console` block, after `$ `."""
    if block.language == "bash":
        return [Command(line) for line in _joined(block.text)]
    return [Command(line, output) for line, output in _dialogue(block.text)]


def without_comment(line: str) -> str:
    """A shell line up to its comment, which begins after a space."""
    return re.sub(r"(^|\s)#.*", "", line).strip()


def _joined(text: str) -> list[str]:
    lines = map(without_comment, text.replace("\\\n", " ").splitlines())
    return [line for line in lines if line]


def _dialogue(text: str) -> Iterator[tuple[str, list[str]]]:
    for said in re.split(r"^\$ ", text, flags=re.MULTILINE)[1:]:
        line, *output = said.rstrip().splitlines()
        yield without_comment(line), output
