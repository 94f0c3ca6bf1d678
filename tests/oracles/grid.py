"""The papers' grid of a trace whose passes take one slot each.

`1A` is the forward of mini-batch 1's micro-batch A (`1F` where a mini-batch is not cut), a bare
`1` a backward of the whole mini-batch, `1a` a backward of micro-batch A alone, `.` an idle slot.
"""

from __future__ import annotations

from typing import Any

LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZ"
FORWARD, BACKWARD = 0, 1


def cell(op: int, index: int, count: int, microbatches: int) -> str:
    minibatch, micro = index // microbatches + 1, index % microbatches
    if op == FORWARD:
        return f"{minibatch}{LETTERS[micro] if microbatches > 1 else 'F'}"
    if count == microbatches:
        return f"{minibatch}"
    return f"{minibatch}{LETTERS[micro].lower()}"


def grid(trace: Any) -> list[list[str]]:
    """Cells by stage and slot."""
    n = trace.shape.microbatches
    slots: list[dict[int, str]] = [{} for _ in range(trace.shape.stages)]
    for op, stage, index, count, start, end in zip(
            trace.op, trace.stage, trace.index, trace.count, trace.start_s, trace.end_s,
            strict=True):
        if op in (FORWARD, BACKWARD):
            assert start == int(start)
            assert end == start + 1
            assert int(start) not in slots[stage]
            slots[stage][int(start)] = cell(op, int(index), int(count), n)
    return [[row.get(slot, ".") for slot in range(max(row) + 1)] for row in slots]


def read_grid(text: str) -> list[list[str]]:
    """Cells of a golden file; lines that start with # are its explanation."""
    rows = [line.split(":") for line in text.splitlines() if line and not line.startswith("#")]
    assert [name for name, _ in rows] == [f"stage {k}" for k in range(len(rows))]
    return [cells.split() for _, cells in rows]
