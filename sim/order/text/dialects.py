"""The forms a program is written in, told apart by what is there, and turned into instructions.

| form | what tells it |
|---|---|
| ours | updates (`0U0-1`), ranges, or the comment with the shape |
| PyTorch's CSV | `REDUCE_GRAD`, `UNSHARD`, `OVERLAP_F_B`, or passes and messages alone |
| older CSV, zero-bubble's | `W` and no `I`: `B` is the input half, a whole backward is `BW` |
| two directions | `0Fd0` (down) and `3Fu0` (up) |

Of two directions the down micro-batches are the first of the mini-batch, the up ones follow.
`UNSHARD` and `RESHARD` move FSDP's weights and are skipped; `REDUCE_GRAD` is where a stage's
gradient is complete, so its update stands there.

Source: torch 2.13 and 2.5, `torch/distributed/pipelining/schedules.py` (`_Action`, `_load_csv`).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

from sim.errors import InvalidProgramError
from sim.op import Op
from sim.order.authoring import Together
from sim.order.completeness.marked_table import marked_cells
from sim.order.instruction import Instruction
from sim.order.text.tokens import Token, Tokens

Cell = Instruction | Together
Rows = Sequence[Sequence[Tokens]]  # a line a device
SKIPPED = ("UNSHARD", "RESHARD")
OPS = {**{op.name: op for op in Op}, "BW": Op.B}
OURS, TORCH, OLDER, BOTH_WAYS = ("the text form", "PyTorch's CSV", "an older CSV",
                                 "a program of two directions")


@dataclass(frozen=True)
class Dialect:
    """What form a program is in, and what that makes of its words, in lines of a few words each.

    `halves` says that `B` stands for the input half, and `downs` is how many micro-batches of two
    directions go down (None: there is one direction).
    """

    name: str
    halves: bool = False
    downs: int | None = None

    @property
    def notes(self) -> list[str]:
        """What a reader of the file would like to know was taken."""
        found = [("B read as the input half I, as W has the other", self.halves),
                 (f"up micro-batches numbered from {self.downs}", self.downs is not None)]
        return [note for note, said in found if said]

    def cells(self, row: Sequence[Tokens], microbatches: int) -> Iterator[Cell]:
        """The instructions and pairs of one device; an update covers `microbatches`."""
        for cell in row:
            made = [self._instruction(each, microbatches) for each in cell
                    if each.kind not in SKIPPED]
            if len(made) == 2:
                yield Together(*made)
            else:
                yield from made

    def _instruction(self, token: Token, microbatches: int) -> Instruction:
        if token.micro_batch is None:
            return Instruction(token.stage, Op.U, 0, microbatches)
        first = token.micro_batch + (self.downs or 0) * (token.direction == "u")
        op = Op.I if self.halves and token.kind == "B" else OPS[token.kind]
        return Instruction(token.stage, op, first, token.size)


def dialect_of(rows: Rows, header: bool) -> Dialect:
    """The form of a program's cells; `header` says that it has our comment with the shape.

    Raises InvalidProgramError for a mixture of forms, with the cell marked.
    """
    every = [each for row in rows for cell in row for each in cell]
    kinds = {each.kind for each in every}
    directed = any(each.direction for each in every)
    _refuse_mixture(rows, kinds, directed)
    halves = bool({"W", "BW"} & kinds) and "I" not in kinds and "B" in kinds
    if halves:
        _refuse_whole(rows)
    downs = 1 + max((each.micro_batch or 0 for each in every if each.direction == "d"),
                    default=-1) if directed else None
    own = header or "U" in kinds or any(each.size > 1 for each in every)
    name = OLDER if halves or "BW" in kinds else OURS if own else BOTH_WAYS if directed else TORCH
    return Dialect(name, halves, downs)


def _refuse_mixture(rows: Rows, kinds: set[str], directed: bool) -> None:
    """Words of two forms in one text are a slip."""
    for one, other, why in (
            ("U", "REDUCE_GRAD", "an update is 0U0-1 in the text form and 0REDUCE_GRAD in "
                                 "PyTorch's CSV"),
            ("BW", "I", "a whole backward is BW and its halves B and W in older files, or it is B "
                        "and its halves I and W")):
        if {one, other} <= kinds:
            _refuse(rows, f"{why}; this file has both", _is(one))
    if directed:
        _refuse(rows, "either every pass and message says d (down) or u (up), or none does",
                lambda each: not each.direction and each.micro_batch is not None
                and each.kind != "U")


def _is(kind: str) -> Callable[[Token], bool]:
    return lambda each: each.kind == kind


def _refuse_whole(rows: Rows) -> None:
    """Where `B` is the input half, each has its `W`."""
    others = {(each.stage, each.direction, each.micro_batch) for row in rows for cell in row
              for each in cell if each.kind == "W"}
    _refuse(rows, "with W and no I in the file B is the input half of a backward (a whole one is "
                  "BW), but one has no W",
            lambda each: each.kind == "B"
            and (each.stage, each.direction, each.micro_batch) not in others)


def _refuse(rows: Rows, rule: str, bad: Callable[[Token], bool]) -> None:
    """Refuse the first cell with a token that is `bad`."""
    for device, row in enumerate(rows):
        for step, cell in enumerate(row):
            for each in cell:
                if bad(each):
                    raise InvalidProgramError(f"{rule}: {each}", marked_cells(shown(rows),
                                                                              {device: step}))


def shown(rows: Rows) -> list[list[str]]:
    """The cells as they were written, for a table."""
    return [[str(cell[0]) if len(cell) == 1 else f"({';'.join(map(str, cell))})" for cell in row]
            for row in rows]


def refuse_shifted_forwards(rows: Rows) -> None:
    """Name the slip in the 1F1B order that PyTorch 2.13 draws, which no rank could execute.

    Raises InvalidProgramError with the cell marked.
    """
    for device, row in enumerate(rows):
        mine = [(step, each) for step, cell in enumerate(row) for each in cell]
        for stage in sorted({each.stage for _, each in mine}):
            forward, backward = (sorted(each.micro_batch or 0 for _, each in mine
                                        if each.stage == stage and each.kind in kinds)
                                 for kinds in (("F",), ("B", "I", "BW")))
            if backward and forward == [micro + 1 for micro in backward] and not backward[0]:
                step = next(step for step, each in mine
                            if (each.stage, each.kind) == (stage, "F"))
                raise InvalidProgramError(
                    f"stage {stage} starts its forwards at micro-batch 1: {stage}F1 to "
                    f"{stage}F{forward[-1]} beside {stage}B0 to {stage}B{backward[-1]}, so "
                    f"{stage}F0 is missing; the 1F1B order that PyTorch 2.13 draws "
                    "(Schedule1F1B) numbers the last rank's forwards one too high: lower each "
                    "by one", marked_cells(shown(rows), {device: step}))

