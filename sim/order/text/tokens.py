"""One cell of a program's text: what it says, in the words of any form a program is written in.

A cell is an instruction (`2F0`, `0B4-7`, `1SEND_F3`), of two directions also `0Fd0` (down) and
`3Fu0` (up), or what concerns a whole stage (`2REDUCE_GRAD`), or two that are issued as one:
`(0F3;3B1)`, which PyTorch writes `(0F3;3B1)OVERLAP_F_B`.
"""

from __future__ import annotations

import re
from typing import NamedTuple

from sim.errors import InvalidProgramError

# at most nine digits: any more is a slip that would only fill the memory
_TOKEN = re.compile(
    r"([0-9]{1,9})(SEND_F|RECV_F|SEND_B|RECV_B|UNSHARD|RESHARD|REDUCE_GRAD|BW|F|B|I|W|U)"
    r"(?:([du]?)([0-9]{1,9})(?:-([0-9]{1,9}))?)?")
_PAIR = re.compile(r"\(([^()]*)\)(OVERLAP_F_B)?")
OF_A_STAGE = ("UNSHARD", "RESHARD", "REDUCE_GRAD")  # what has no micro-batch
EXAMPLES = "2F0, 0B4-7, 1SEND_F3, 2REDUCE_GRAD or (0F3;1B1)OVERLAP_F_B"


class Token(NamedTuple):
    """What one instruction's text says: `2F0`.

    `micro_batch` is the first of `size` (None for what concerns a whole stage), and `direction`
    is `d`, `u` or empty.
    """

    stage: int
    kind: str
    micro_batch: int | None
    size: int = 1
    direction: str = ""

    def __str__(self) -> str:
        first = self.micro_batch
        if first is None:
            return f"{self.stage}{self.kind}"
        last = f"-{first + self.size - 1}" if self.size > 1 else ""
        return f"{self.stage}{self.kind}{self.direction}{first}{last}"


Tokens = tuple[Token, ...]  # a cell: one, or two that are a pair


def tokens(cell: str, number: int) -> Tokens:
    """What a cell says; nothing of it is put right.

    Raises InvalidProgramError naming the line `number` and the cell.
    """
    if not cell.startswith("("):
        return (_token(cell, number),)
    found = _PAIR.fullmatch(cell)
    parts = [part.strip() for part in found[1].split(";") if part.strip()] if found else []
    if found is None or len(parts) > 2:
        raise InvalidProgramError(f"line {number}: {cell[:40]!r} is not a pair; write e.g. "
                                  "(0F3;1B1) or (0F3;1B1)OVERLAP_F_B")
    return tuple(_token(part, number) for part in parts)


def _token(text: str, number: int) -> Token:
    found = _TOKEN.fullmatch(text)
    if found is None or (found[4] is None) != (found[2] in OF_A_STAGE):
        raise InvalidProgramError(f"line {number}: {text[:40]!r} is not an instruction; write "
                                  f"e.g. {EXAMPLES}")
    stage, kind, direction, first, last = found.groups()
    if first is None:
        return Token(int(stage), kind, None)
    count = 1 if last is None else int(last) - int(first) + 1
    if last is not None and count < 2:
        raise InvalidProgramError(f"line {number}: {text!r}: a range runs upwards, e.g. 0B4-7")
    return Token(int(stage), kind, int(first), count, direction or "")
