"""What one device does in one step: an instruction, and its text form."""

from __future__ import annotations

import re
from dataclasses import dataclass

from sim.op import Op

# at most nine digits: any more is a slip that would only fill the memory
_TEXT = re.compile(
    r"([0-9]{1,9})(SEND_F|RECV_F|SEND_B|RECV_B|F|B|I|W|U)([0-9]{1,9})(?:-([0-9]{1,9}))?")


@dataclass(frozen=True, slots=True)
class Instruction:
    """One operation of one stage on the micro-batches `index … index + count - 1`.

    Micro-batches are numbered from 0 over the whole run, so mini-batch `i` (from 1) of `n`
    micro-batches covers `(i-1)*n … i*n-1`.  The text form is `2F0` (stage 2, forward, micro-batch
    0), or `2B0-3` where one instruction covers several; `parse` is its exact inverse.
    """

    stage: int
    op: Op
    index: int
    count: int = 1

    def __post_init__(self) -> None:
        if self.stage < 0 or self.index < 0 or self.count < 1:
            raise ValueError(f"stage and index start at 0 and count at 1, got {self!r}")

    def __str__(self) -> str:
        last = f"-{self.index + self.count - 1}" if self.count > 1 else ""
        return f"{self.stage}{self.op.name}{self.index}{last}"

    @classmethod
    def parse(cls, text: str) -> Instruction:
        """The instruction that a text such as `2F0` or `0B4-7` means.

        Raises ValueError naming the text and an example.
        """
        found = _TEXT.fullmatch(text.strip())
        if not found:
            raise ValueError(f"{text!r} is not an instruction; write e.g. 2F0, 0B4-7 or 1SEND_F3")
        stage, op, first, last = found.groups()
        count = int(last) - int(first) + 1 if last is not None else 1
        if last is not None and count < 2:
            raise ValueError(f"{text!r}: a range runs upwards, e.g. 0B4-7")
        return cls(int(stage), Op[op], int(first), count)
