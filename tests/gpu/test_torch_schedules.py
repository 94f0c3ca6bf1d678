"""PyTorch's pipelining schedules in both directions, against torch's own writer and parser."""

import csv
import io
import os
import socket
import subprocess
import sys

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from analysis.measured.reading import read_run
from sim.errors import InvalidProgramError
from sim.op import Op
from sim.order.program import Program
from sim.order.shape import PipelineShape
from sim.order.torch_csv.reading import is_torch_csv, parse, repeated, without_messages
from sim.order.torch_csv.rendering import render
from sim.schedules import SCHEDULES
from tests.gpu import torch_step
from tests.gpu.torch_schedules import lowered, reloaded, write
from tests.sim.experiments import TIMES, schedule_program, simulate
from tests.torch_versions import (
    _Action,
    _add_reduce_grad,
    _simulate_comms_compute,
    writes_schedules,
)

if not writes_schedules():
    pytest.skip("the classes that write these schedules are torch 2.13's",
                allow_module_level=True)

CHUNKED = ["Interleaved1F1B", "LoopedBFS", "InterleavedZeroBubble", "ZBVZeroBubble", "DualPipeV"]


def imported(path):
    text = path.read_text()
    assert is_torch_csv(text)
    return parse(text)


def makespan(program: Program) -> float:
    shape = program.shape
    trace = simulate(program, schedule="file", stages=shape.stages, batch_size=shape.total,
                     minibatches=shape.minibatches, microbatches=shape.microbatches,
                     chunks=shape.chunks, **TIMES)
    return float(trace.end_s.max())


@pytest.mark.parametrize(("ranks", "micro_batches"), [(2, 2), (4, 8), (3, 7)])
def test_gpipe_as_torch_writes_it_is_ours(tmp_path, ranks, micro_batches):
    program = imported(write(tmp_path / "g.csv", "GPipe", ranks, micro_batches))
    assert program == schedule_program("gpipe", ranks, 1, micro_batches)
    assert makespan(program) == 2 * (micro_batches + ranks - 1)


@pytest.mark.parametrize(("ranks", "micro_batches"), [(1, 1), (2, 3), (4, 8)])
def test_the_1f1b_order_torch_draws_is_refused_with_its_slip_named(tmp_path, ranks,
                                                                    micro_batches):
    with pytest.raises(InvalidProgramError) as caught:
        imported(write(tmp_path / "o.csv", "1F1B", ranks, micro_batches))
    last = ranks - 1
    assert f"stage {last} starts its forwards at micro-batch 1" in caught.value.rule
    assert f"{last}F0 is missing" in caught.value.rule
    assert f">{last}F1<" in caught.value.table


def test_the_1f1b_order_is_ours_once_the_slip_is_mended(tmp_path):
    path = write(tmp_path / "o.csv", "1F1B", 4, 8)
    *good, last = path.read_text().splitlines()
    mended = [f"3F{int(c[2:]) - 1}" if c.startswith("3F") else c for c in last.split(",")]
    program = parse("\n".join([*good, ",".join(mended)]))
    assert program == schedule_program("1f1b", 4, 1, 8)


@pytest.mark.parametrize(("ranks", "micro_batches"), [(2, 4), (2, 8), (4, 8)])
def test_interleaved_1f1b_as_torch_runs_it_is_ours(tmp_path, ranks, micro_batches):
    """So the bench compares the same order: its class runs what it writes."""
    program = imported(write(tmp_path / "i.csv", "Interleaved1F1B", ranks, micro_batches, 2))
    assert program == SCHEDULES["interleaved"].program(
        PipelineShape(2 * ranks, 1, micro_batches, 2))


@pytest.mark.parametrize(("ranks", "micro_batches", "chunks"), [
    (4, 10, 2), (4, 3, 2), (3, 8, 3), (2, 5, 2), (5, 12, 2), (1, 4, 3)])
@pytest.mark.parametrize(("name", "ours"), [("Interleaved1F1B", "interleaved"),
                                            ("LoopedBFS", "looped-bfs")])
def test_orders_in_chunks_are_torchs_token_for_token(tmp_path, name, ours, ranks, micro_batches,
                                                     chunks):
    """Its rounds of more micro-batches than devices, or fewer, too."""
    if name == "Interleaved1F1B" and micro_batches % max(1, micro_batches // ranks):
        pytest.skip("torch has equal rounds alone")
    program = imported(write(tmp_path / "c.csv", name, ranks, micro_batches, chunks))
    assert program == SCHEDULES[ours].program(
        PipelineShape(ranks * chunks, 1, micro_batches, chunks))


@pytest.mark.parametrize(("name", "chunks", "options"), [
    ("eager-1f1b", 1, {}), ("seq1f1b", 1, {"splits": 4}), ("1f1b", 1, {"warmup": 6}),
    ("looped-bfs", 2, {}), ("interleaved", 2, {"round_size": 5}), ("hanayo", 2, {}),
    ("hanayo", 4, {})])
def test_orders_torch_has_no_class_for_are_read_and_lowered_by_it(tmp_path, name, chunks, options):
    n = 9 if "round_size" in options else 8
    program = SCHEDULES[name].program(PipelineShape(4 * chunks, 1, n, chunks, **options))
    text = render(program)
    back, loaded = reloaded(text, tmp_path / "p.csv", "compute_only", 4, chunks, n)
    assert back == text.encode()
    assert parse(text).rows.index.tolist() == program.rows.index.tolist()
    given_ = {rank: _add_reduce_grad(actions, n) for rank, actions in enumerate(rows(text))}
    assert list(csv.reader(io.StringIO(render(program, messages=True)))) == lowered(loaded, given_)


@pytest.mark.parametrize("micro_batches", [4, 8, 12])
@pytest.mark.parametrize("chunks", [2, 3])
def test_interleaved_1f1b_has_the_published_bubble(tmp_path, micro_batches, chunks):
    """Narayanan et al. 2021: (S−1)/(V·M+S−1) of the devices' time."""
    program = imported(write(tmp_path / "i.csv", "Interleaved1F1B", 4, micro_batches, chunks))
    assert program.shape == PipelineShape(4 * chunks, 1, micro_batches, chunks)
    busy = 2 * chunks * micro_batches
    assert makespan(program) == busy + 2 * 3
    assert 1 - busy / makespan(program) == pytest.approx(3 / (chunks * micro_batches + 3))


@pytest.mark.parametrize("name", CHUNKED)
def test_every_multi_stage_schedule_of_torch_runs(tmp_path, name):
    """Any placement of stages, halves of backwards and overlapped passes included."""
    program = imported(write(tmp_path / "s.csv", name, 4, 8, 2))
    assert (program.devices, program.shape.stages) == (4, 8)
    home = program.device[program.row_of(Op.F)[:, 0]].tolist()
    assert home == ([0, 1, 2, 3, 3, 2, 1, 0] if "V" in name else [0, 1, 2, 3, 0, 1, 2, 3])
    assert makespan(program) >= 32


@pytest.mark.parametrize("deferred", [False, True])
@pytest.mark.parametrize("name", CHUNKED)
def test_the_form_with_messages_is_the_same_program(tmp_path, name, deferred):
    plain = imported(write(tmp_path / "p.csv", name, 2, 4, 2))
    path = write(tmp_path / "c.csv", name, 2, 4, 2, with_comms=True, defer_pp_recv=deferred)
    assert "UNSHARD" in path.read_text()
    assert "RECV_F" in path.read_text()
    assert without_messages(imported(path)) == plain


def rows(text):
    return [[_Action.from_str(cell) for cell in row] for row in csv.reader(io.StringIO(text))]


@given(st.sampled_from(["gpipe", "1f1b", "sequential"]), st.integers(1, 5), st.integers(1, 6),
       st.integers(1, 3))
def test_ours_goes_through_torchs_parser_unchanged(tmp_path_factory, name, stages, micro_batches,
                                                   minibatches):
    program = schedule_program(name, stages, minibatches, micro_batches)
    folder = tmp_path_factory.mktemp("torch")
    text = render(program)
    back, loaded = reloaded(text, folder / "p.csv", "compute_only", stages, 1, micro_batches)
    assert back == text.encode()
    assert parse(text) == schedule_program(name, stages, 1, micro_batches)
    messages = render(program, messages=True)
    back, _ = reloaded(messages, folder / "c.csv", "compute_comms", stages, 1, micro_batches)
    assert back == messages.encode()
    assert without_messages(parse(messages)) == parse(text)
    given_ = {rank: _add_reduce_grad(actions, micro_batches)
              for rank, actions in enumerate(rows(text))}
    assert list(csv.reader(io.StringIO(messages))) == lowered(loaded, given_)


@pytest.mark.parametrize("name", CHUNKED)
def test_torchs_own_schedules_come_back_as_torch_lowers_them(tmp_path, name):
    program = imported(write(tmp_path / "s.csv", name, 4, 8, 2))
    text = render(program)
    back, loaded = reloaded(text, tmp_path / "p.csv", "compute_only", 4, 2, 8)
    assert back == text.encode()
    messages = render(program, messages=True)
    given_ = {rank: _add_reduce_grad(actions, 8) for rank, actions in enumerate(rows(text))}
    assert list(csv.reader(io.StringIO(messages))) == lowered(loaded, given_)
    homes = loaded.stage_index_to_group_rank
    passes = {rank: [a for a in actions if "REDUCE" not in str(a)]
              for rank, actions in enumerate(rows(messages))}
    if name != "DualPipeV":  # torch's walk knows no pairs
        assert _simulate_comms_compute(passes, lambda s: homes[s], 8)  # raises where it would hang


FLUSHED = {
    "eager-1f1b": PipelineShape(4, 2, 8), "zb-h2": PipelineShape(4, 1, 8),
    "split": PipelineShape(3, 2, 4), "looped-bfs": PipelineShape(8, 2, 8, 2),
    "hanayo": PipelineShape(8, 1, 8, 2), "v-half": PipelineShape(8, 1, 8, 2),
    "v-min": PipelineShape(8, 2, 8, 2), "seq1f1b": PipelineShape(4, 1, 8, splits=2),
    "interleaved": PipelineShape(8, 1, 9, 2, round_size=5), "dualpipev": PipelineShape(8, 2, 10, 2)}


@pytest.mark.parametrize("name", FLUSHED)
def test_orders_that_torch_does_not_make_are_loaded_by_it(tmp_path, name):
    """It proves them, puts messages in, and writes both forms back byte for byte."""
    shape = FLUSHED[name]
    program = SCHEDULES[name].program(shape)
    ranks, chunks, micro_batches = shape.worker_devices, shape.chunks, shape.microbatches
    text = render(program)
    back, loaded = reloaded(text, tmp_path / "p.csv", "compute_only", ranks, chunks, micro_batches)
    assert back == text.encode()
    messages = render(program, messages=True)
    given_ = {rank: _add_reduce_grad(actions, micro_batches)
              for rank, actions in enumerate(rows(text))}
    assert list(csv.reader(io.StringIO(messages))) == lowered(loaded, given_)
    one = repeated(parse(text), shape.minibatches)
    assert np.array_equal(one.rows.index, program.rows.index)
    assert np.array_equal(one.pairs, program.pairs)


def test_a_file_repeated_is_the_schedule_of_more_mini_batches():
    program = schedule_program("1f1b", 3, 5, 4)
    assert repeated(parse(render(program)), 5) == program
    assert np.array_equal(repeated(parse(render(program)), 5).rows.index, program.rows.index)


LOOP = ("0F0,0F1,2F0,2F1,2B0,0F2,2B1,2F2,0B0,2B2,0B1,0B2\n"
        "1F0,1F1,3F0,3B0,3F1,1B0,3B1,1F2,1B1,3F2,3B2,1B2\n")


@pytest.mark.slow
@pytest.mark.parametrize("messages", [pytest.param(False, marks=pytest.mark.verify), True])
@pytest.mark.parametrize("program", [
    pytest.param(schedule_program("1f1b", 2, 3, 4), id="1f1b", marks=pytest.mark.verify),
    pytest.param(parse(LOOP), id="two chunks")])
def test_torch_runs_a_step_by_our_file(tmp_path, program, messages):
    """Two processes on gloo; the gradients are those of the whole network on the whole batch, and
    what torch.profiler saw of it, each rank in a file, is a run in the order of the file."""
    path, shape = tmp_path / "schedule.csv", program.shape
    traces = tmp_path / "traces"
    traces.mkdir()
    path.write_bytes(render(program, messages=messages).encode())
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = str(probe.getsockname()[1])
    done = subprocess.run(
        [sys.executable, "-m", "torch.distributed.run", "--nproc-per-node", "2", "--master-port",
         port, torch_step.__file__, str(path), "compute_comms" if messages else "compute_only",
         str(shape.stages), str(shape.microbatches), str(traces)],
        capture_output=True, text=True, timeout=120, check=False,
        env={**os.environ, "OMP_NUM_THREADS": "1"})
    assert done.returncode == 0, done.stderr[-2000:]
    assert done.stdout.count("equal") == 2
    run = read_run(traces)
    assert run.header.gpu.settings["files"] == ["rank-2.json", "rank-1.json"]  # told by their ranks
    assert repeated(run.program(), shape.minibatches) == program
    assert (run.end_s > run.start_s)[run.op != Op.U].all()
