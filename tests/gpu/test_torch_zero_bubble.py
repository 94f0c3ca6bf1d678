"""Zero-bubble orders that PyTorch knows: ours are its own, token by token, and go both ways."""

from types import SimpleNamespace

import pytest

from sim.order.shape import PipelineShape
from sim.order.torch_csv.reading import parse
from sim.order.torch_csv.rendering import render
from sim.schedules import SCHEDULES
from tests.gpu.torch_schedules import reloaded, write
from tests.sim.orders import tokens
from tests.torch_versions import get_schedule_ops, rank_order, writes_schedules

if not writes_schedules():
    pytest.skip("the classes that write these schedules are torch 2.13's",
                allow_module_level=True)

TORCHS = {"interleaved-zb": "InterleavedZeroBubble", "zbv": "ZBVZeroBubble",
          "dualpipev": "DualPipeV"}
SHAPES = [("interleaved-zb", *shape) for shape in [
    (1, 2, 3), (2, 2, 2), (2, 2, 8), (2, 3, 3), (3, 2, 8), (4, 2, 8), (4, 2, 3), (4, 3, 12),
    (8, 2, 16)]] + [("zbv", *shape) for shape in [
        (1, 2, 1), (2, 2, 1), (2, 2, 4), (3, 2, 2), (3, 2, 9), (4, 2, 4), (4, 2, 8), (5, 2, 9),
        (8, 2, 20)]] + [("dualpipev", *shape) for shape in [
            (1, 2, 2), (2, 2, 4), (3, 2, 7), (4, 2, 8), (5, 2, 13), (6, 2, 12), (8, 2, 20)]]
EVERY = pytest.mark.parametrize(("name", "ranks", "chunks", "n"), SHAPES)


def token(action) -> str:
    """An action of PyTorch's in our spelling."""
    return str(action).removesuffix("OVERLAP_F_B")


@EVERY
def test_the_order_is_torchs_token_for_token(name, ranks, chunks, n):
    theirs = get_schedule_ops(TORCHS[name], ranks, n, chunks)
    assert tokens(name, PipelineShape(ranks * chunks, 1, n, chunks)) == [
        [token(each) for each in rank if each is not None] for rank in theirs]


@pytest.mark.parametrize(("ranks", "n"), [(1, 3), (2, 4), (4, 8), (4, 3), (8, 16)])
def test_zb_h1_is_torchs_interleaved_zero_bubble_of_one_chunk(ranks, n):
    """Its class wants two stages a rank; its rule for a rank's order does not."""
    rounds = max(1, n // ranks)
    plain = SimpleNamespace(n_local_stages=1, microbatches_per_round=n // rounds,
                            pp_group_size=ranks, _n_microbatches=n)
    assert tokens("zb-h1", PipelineShape(ranks, 1, n)) == [
        [token(each) for each in rank_order("ScheduleInterleavedZeroBubble", plain, rank)
         if each is not None] for rank in range(ranks)]


@pytest.mark.parametrize(("name", "ranks", "chunks", "n"), SHAPES[4::4])
def test_the_csv_goes_both_ways(tmp_path, name, ranks, chunks, n):
    """Torch writes what we make, and loads and dumps what we write."""
    program = SCHEDULES[name].program(PipelineShape(ranks * chunks, 1, n, chunks))
    assert parse(write(tmp_path / "s.csv", TORCHS[name], ranks, n, chunks).read_text()) == program
    text = render(program)
    back, _ = reloaded(text, tmp_path / "p.csv", "compute_only", ranks, chunks, n)
    assert back == text.encode()
    assert parse(text) == program
    messages = render(program, messages=True)
    back, _ = reloaded(messages, tmp_path / "c.csv", "compute_comms", ranks, chunks, n)
    assert back == messages.encode()


@pytest.mark.parametrize(("name", "ranks", "chunks", "n"), [
    ("interleaved-zb", 4, 2, 9), ("interleaved-zb", 4, 2, 13), ("zbv", 4, 3, 8),
    ("dualpipev", 4, 2, 7), ("dualpipev", 4, 3, 12)])
def test_what_torch_refuses_is_refused(name, ranks, chunks, n):
    with pytest.raises(ValueError, match=r"requires"):
        get_schedule_ops(TORCHS[name], ranks, n, chunks)
    with pytest.raises(ValueError, match=name):
        SCHEDULES[name].check(PipelineShape(ranks * chunks, 1, n, chunks))
