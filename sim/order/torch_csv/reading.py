"""PyTorch's pipelining schedules: the CSV that `torch.distributed.pipelining` writes and loads.

A row per rank, a cell per action: `2F0` (stage 2, forward, micro-batch 0), `B` a full backward,
`I`/`W` its input and weight halves, empty cells for steps a rank waits (dropped: waiting follows
from times here).  The file covers one step of the optimizer, so one mini-batch.  In the
`compute_comms` form

- `REDUCE_GRAD` is where a stage's gradient is complete: our update stands there;
- `SEND_F` … `RECV_B` are checked (one of each for what crosses ranks, in an order that can be
  executed) and then dropped, since PyTorch posts receives ahead and waits at the pass, as a
  program without messages does;
- `UNSHARD` and `RESHARD` move FSDP's weights and are skipped;
- `(0F3;3B1)OVERLAP_F_B` becomes its passes one after the other.

Source: torch 2.13, `torch/distributed/pipelining/schedules.py` (`_Action`, `_load_csv`).
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from sim.errors import InvalidProgramError
from sim.op import Op
from sim.order.authoring import columns, repeat
from sim.order.columns import Instructions
from sim.order.completeness.marked_table import marked_cells
from sim.order.instruction import Instruction
from sim.order.program import Program
from sim.order.shape import PipelineShape

_ACTION = re.compile(
    r"([0-9]{1,9})(SEND_F|RECV_F|SEND_B|RECV_B|UNSHARD|RESHARD|REDUCE_GRAD|F|B|I|W)([0-9]{1,9})?")
_OVERLAP = re.compile(r"\(([^()]*)\)OVERLAP_F_B")
_OURS = re.compile(r"^\s*#|[0-9]U[0-9]|-", re.MULTILINE)
_THEIRS = re.compile(r"UNSHARD|RESHARD|REDUCE_GRAD|OVERLAP_F_B")
WITHOUT_MICRO_BATCH = ("UNSHARD", "RESHARD", "REDUCE_GRAD")
EXAMPLES = "2F0, 3SEND_F1, 2REDUCE_GRAD or (0F1;1B0)OVERLAP_F_B"


@dataclass(frozen=True, slots=True)
class Action:
    """One cell of PyTorch's CSV: what a rank does with a stage.

    `micro_batch` is None for what concerns a whole stage, such as reducing its gradient.
    """

    stage: int
    kind: str
    micro_batch: int | None

    def __str__(self) -> str:
        return f"{self.stage}{self.kind}{'' if self.micro_batch is None else self.micro_batch}"


def is_torch_csv(text: str) -> bool:
    """Whether a program's text is PyTorch's: an action only PyTorch has, or nothing of ours."""
    if _THEIRS.search(text):
        return True
    cells = [c.strip() for line in text.splitlines() for c in line.split(",") if c.strip()]
    return bool(cells) and not _OURS.search(text) and all(map(_ACTION.fullmatch, cells))


def parse(text: str) -> Program:
    """The program of one mini-batch that PyTorch's CSV describes.

    Raises InvalidProgramError naming line and cell of what is no action, or with the table marked.
    """
    lines = [(number, line) for number, line in enumerate(text.splitlines(), 1) if line.strip()]
    ranks = [list(_actions(line, number)) for number, line in lines]
    for (number, _), actions in zip(lines, ranks, strict=True):
        if not any(action.kind in "FBIW" for action in actions):
            raise InvalidProgramError(f"line {number}: this rank has no forward or backward")
    _refuse_shifted_forwards(ranks)
    shape = _shape(ranks)
    streams = [[_instruction(a, shape) for a in rank if a.kind not in ("UNSHARD", "RESHARD")]
               for rank in ranks]
    whole = Program.from_streams(shape, streams).validate()
    return without_messages(whole).validate() if whole.lowered else whole


def repeated(program: Program, minibatches: int) -> Program:
    """A program of one mini-batch done `minibatches` times, each after the flush of the one
    before."""
    shape = program.shape
    longer = PipelineShape(shape.stages, minibatches, shape.microbatches, shape.chunks)
    streams = [[repeat(columns(program.stream(d)), minibatches, shape.microbatches)]
               for d in range(program.devices)]
    return Program.from_streams(longer, streams)


def without_messages(program: Program) -> Program:
    """A program's passes and updates in their order, without its SEND and RECV instructions."""
    keep = program.rows.op <= Op.U
    ends = [0, *(int(keep[:end].sum()) for end in program.offsets[1:])]
    rows = Instructions(*(column[keep] for column in program.rows))
    return Program.of(program.shape, rows, tuple(ends))


def _actions(line: str, number: int) -> Iterator[Action]:
    for cell in (cell.strip() for cell in line.split(",")):
        overlap = _OVERLAP.fullmatch(cell)
        for part in overlap.group(1).split(";") if overlap else [cell]:
            if part.strip():
                yield _action(part.strip(), number)


def _action(text: str, number: int) -> Action:
    found = _ACTION.fullmatch(text)
    if found and (found.group(3) is None) == (found.group(2) in WITHOUT_MICRO_BATCH):
        stage, kind, micro = found.groups()
        return Action(int(stage), kind, None if micro is None else int(micro))
    raise InvalidProgramError(f"line {number}: {text[:40]!r} is no action of a PyTorch pipelining "
                              f"schedule; write e.g. {EXAMPLES}")


def _instruction(action: Action, shape: PipelineShape) -> Instruction:
    if action.micro_batch is None:
        return Instruction(action.stage, Op.U, 0, shape.microbatches)
    return Instruction(action.stage, Op[action.kind], action.micro_batch)


def _shape(ranks: Sequence[Sequence[Action]]) -> PipelineShape:
    """One mini-batch of as many micro-batches as the passes number."""
    passes = [a for rank in ranks for a in rank if a.kind in "FBIW"]
    stages = max((a.stage for rank in ranks for a in rank), default=-1) + 1
    if not passes or stages > len(passes):
        raise InvalidProgramError("each stage does F of every micro-batch: "
                                  f"{stages} stages, {len(passes)} forwards and backwards")
    if stages % len(ranks):
        raise InvalidProgramError("PyTorch places equally many stages on every rank, got "
                                  f"{stages} stages on {len(ranks)} ranks")
    micro_batches = 1 + max(a.micro_batch or 0 for a in passes)
    return PipelineShape(stages, 1, micro_batches, stages // len(ranks))


def _refuse_shifted_forwards(ranks: Sequence[Sequence[Action]]) -> None:
    """Name the slip in the 1F1B order that PyTorch 2.13 draws, which no rank could execute."""
    for rank, actions in enumerate(ranks):
        for stage in sorted({a.stage for a in actions}):
            forward, backward = (sorted(a.micro_batch or 0 for a in actions if a.stage == stage
                                        and a.kind in kinds) for kinds in ("F", "BI"))
            if backward and forward == [micro + 1 for micro in backward] and not backward[0]:
                step = next(i for i, a in enumerate(actions) if (a.stage, a.kind) == (stage, "F"))
                raise InvalidProgramError(
                    f"stage {stage} starts its forwards at micro-batch 1: {stage}F1 to "
                    f"{stage}F{forward[-1]} beside {stage}B0 to {stage}B{backward[-1]}, so "
                    f"{stage}F0 is missing; the 1F1B order that PyTorch 2.13 draws "
                    "(Schedule1F1B) numbers the last rank's forwards one too high: lower each "
                    "by one",
                    marked_cells([[str(a) for a in each] for each in ranks], {rank: step}))
