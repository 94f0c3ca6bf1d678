"""An experiment file to begin with: every key, what it means, and its default."""

from __future__ import annotations

import re
from collections.abc import Iterator
from textwrap import wrap

from sim.experiment.keys.listing import Key, every_key, table_line
from sim.experiment.tables import Tables

HEAD = """\
# An experiment of pipestale: `python -m sim run FILE`.  Every key may be left out; what stands
# here is the default, and what stands behind a # is an example.
"""
TIED = "\N{NO-BREAK SPACE}"  # inside a table, while lines are broken
COMMENT, WIDTH = 34, 100  # the column in which comments begin, and the longest line


def template() -> str:
    """An experiment file with every key, whose experiment is the default one."""
    keys = every_key()
    tables = ([*_beside(f"[{table}]", table_line(table)),
               *(line for key in keys if key.table == table for line in _lines(key))]
              for table in Tables.model_fields)
    return HEAD + "".join("\n" + "\n".join(lines) + "\n" for lines in tables)


def _lines(key: Key) -> Iterator[str]:
    """A key with its default, or behind a # with an example, and its comment."""
    value = f"# {key.name} = {key.example}" if key.example else f"{key.name} = {key.without}"
    return _beside(value, _comment(key))


def _beside(value: str, comment: str) -> Iterator[str]:
    """A line with a comment, which goes on below itself; a long line has it above."""
    said = [line.replace(TIED, " ") for line in
            wrap(comment, WIDTH - COMMENT - 2, break_on_hyphens=False)]
    indent = " " * COMMENT
    if len(value) > COMMENT - 2:
        yield from (f"{indent}# {line}" for line in said)
        yield value
        return
    yield f"{value:{COMMENT}}# {said[0]}"
    yield from (f"{indent}# {line}" for line in said[1:])


def _comment(key: Key) -> str:
    """The names the key takes, what it means, and what holds without it."""
    names = f"{' | '.join(key.choices)}: " if key.choices else ""
    without = f"; default: {key.without}" if key.example else ""
    tied = re.sub(r"\{.*?\}", lambda table: table[0].replace(" ", TIED), key.meaning)
    return f"{names}{tied}{without}"
