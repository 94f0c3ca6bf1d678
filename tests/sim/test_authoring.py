"""What schedules are written with: runs, dealt and repeated parts, and how they are written out."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from sim.arrays import NARROW
from sim.op import Op
from sim.order.authoring import alternate, backwards, columns, forwards, join, repeat
from sim.order.instruction import Instruction


def texts(part) -> list[str]:
    return [f"{s}{Op(o).name}{i}+{c}" for o, s, i, c in zip(*join([part]), strict=True)]


def test_parts_alternate_like_dealt_cards():
    dealt = alternate(backwards(1, range(2)), forwards(1, [5, 7]))
    assert texts(dealt) == ["1B0+1", "1F5+1", "1B1+1", "1F7+1"]


def test_parts_of_different_lengths_do_not_alternate():
    with pytest.raises(ValueError, match=r"\[2, 3\]"):
        alternate(forwards(0, range(2)), forwards(0, range(3)))


def test_a_repeated_part_moves_on_by_its_step():
    assert texts(repeat(backwards(0, [1], 2), 3, 4)) == ["0B1+2", "0B5+2", "0B9+2"]


def test_columns_gather_single_instructions_and_parts_in_order():
    mixed = [Instruction(0, Op.F, 3), forwards(0, range(2)), Instruction(0, Op.B, 0, 2)]
    assert texts(columns(mixed)) == ["0F3+1", "0F0+1", "0F1+1", "0B0+2"]


def test_nothing_joins_to_an_empty_block():
    assert join([]).size == 0
    assert columns([]).size == 0


def test_a_run_follows_the_step_of_its_range():
    assert texts(backwards(2, range(3, -1, -2))) == ["2B3+1", "2B1+1"]


runs = st.builds(lambda make, stage, first, size: make(stage, range(first, first + size)),
                 st.sampled_from([forwards, backwards]), st.integers(0, 3), st.integers(0, 9),
                 st.integers(1, 4))


nested = st.recursive(runs, lambda parts: st.one_of(
    st.builds(lambda part, n: alternate(*[part] * n), parts, st.integers(2, 3)),
    st.builds(repeat, parts, st.integers(1, 3), st.integers(0, 5)),
    st.lists(parts, min_size=1, max_size=3).map(join)), max_leaves=6)


def said(part) -> list[str]:
    """The instructions of a part by what its words mean, one by one."""
    name = type(part).__name__
    if name == "Alternation":
        return [text for turn in zip(*map(said, part.parts), strict=True) for text in turn]
    if name == "Repetition":
        rows = [*zip(*part.pattern, strict=True)]
        return [f"{s}{Op(o).name}{i + turn * part.step}+{c}" for turn in range(part.times)
                for o, s, i, c in rows]
    if name == "Run":
        return [f"{part.stage}{part.op.name}{i}+{part.count}" for i in part.micro_batches]
    return [f"{s}{Op(o).name}{i}+{c}" for o, s, i, c in zip(*part, strict=True)]


@given(nested, st.integers(1, 3))
def test_parts_of_parts_are_written_where_they_belong_and_nowhere_else(part, step):
    assert texts(part) == said(part)
    room = np.full((4, step * part.size + 1), -1, dtype=NARROW)
    part.write(room[:, : step * part.size : step])  # as within an alternation: not side by side
    written = room[:, : step * part.size : step]
    assert [f"{s}{Op(o).name}{i}+{c}" for o, s, i, c in written.T] == said(part)
    room[:, : step * part.size : step] = -1
    assert (room == -1).all()
