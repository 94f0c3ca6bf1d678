"""PyTorch's pipelining CSV without torch: golden files it wrote (2.13), refusals, the door."""

import json
from pathlib import Path

import numpy as np
import pytest
from click.testing import CliRunner
from hypothesis import given
from hypothesis import strategies as st

from sim.__main__ import main as sim
from sim.errors import InvalidProgramError
from sim.order.program import Program
from sim.order.shape import PipelineShape
from sim.order.torch_csv.reading import is_torch_csv, parse, repeated, without_messages
from sim.order.torch_csv.rendering import render
from sim.schedules import SCHEDULES
from tests.sim.strategies import shapes

GOLDEN = Path(__file__).parents[1] / "golden" / "torch"
FAST = ("--set", "training.task=none")
GOOD = "0F0,0F1,0B0,0B1,0REDUCE_GRAD\n1F0,1B0,1F1,1B1,1REDUCE_GRAD\n"
MESSAGES = ("0F0,0SEND_F0,0F1,0SEND_F1,0RECV_B0,0B0,0RECV_B1,0B1\n"
            "1RECV_F0,1F0,1RECV_F1,1B0,1SEND_B0,1F1,1B1,1SEND_B1\n")


def run(name: str, *options: str):
    return CliRunner().invoke(sim, ["run", "--program", str(name), *FAST, *options])


def found(name: str, *options: str) -> dict:
    result = run(name, *options, "--json")
    assert result.exit_code == 0, result.output
    return json.loads(result.stdout)


def refusal(text: str) -> InvalidProgramError:
    with pytest.raises(InvalidProgramError) as caught:
        parse(text)
    return caught.value


def test_gpipe_of_torch_has_gpipes_makespan():
    values = found(GOLDEN / "gpipe.csv")
    assert (values["stages"], values["microbatches"], values["minibatches"]) == (4, 8, 1)
    assert values["makespan_s"] == 2 * (8 + 4 - 1)
    assert values["bubble_fraction"] == pytest.approx(3 / 11)
    assert parse((GOLDEN / "gpipe.csv").read_text()) == SCHEDULES["gpipe"].program(
        PipelineShape(4, 1, 8))


def test_interleaved_1f1b_of_torch_has_makespan_38_and_bubble_3_of_19():
    values = found(GOLDEN / "interleaved_1f1b.csv")
    assert (values["stages"], values["microbatches"]) == (8, 8)
    assert values["makespan_s"] == 38
    assert values["bubble_fraction"] == pytest.approx(3 / 19, abs=1e-15)


def test_the_1f1b_that_torch_draws_is_refused_with_its_slip_and_the_table():
    result = run(GOLDEN / "1f1b.csv")
    assert result.exit_code == 2
    assert "stage 3 starts its forwards at micro-batch 1" in result.output
    assert "3F0 is missing" in result.output
    assert ">3F1<" in result.output
    assert "device 0" in result.output


@pytest.mark.parametrize(("name", "homes"), [
    ("interleaved_1f1b", [0, 1, 2, 3, 0, 1, 2, 3]), ("zbv_zero_bubble", [0, 1, 2, 3, 3, 2, 1, 0]),
    ("dual_pipe_v", [0, 1, 2, 3, 3, 2, 1, 0])])
def test_placement_follows_the_file(name, homes):
    program = parse((GOLDEN / f"{name}.csv").read_text())
    placed = {int(stage): int(device) for stage, device
              in zip(program.rows.stage, program.device, strict=True)}
    assert [placed[k] for k in range(8)] == homes
    assert program.shape == PipelineShape(8, 1, 8, 2)


def test_minibatches_repeat_the_file_with_a_flush():
    values = found(GOLDEN / "gpipe.csv", "--set", "minibatches=5")
    assert values["minibatches"] == 5
    whole = SCHEDULES["gpipe"].program(PipelineShape(4, 5, 8))
    assert repeated(parse((GOLDEN / "gpipe.csv").read_text()), 5) == whole
    assert values["staleness"]["max"] == 0
    assert values["makespan_s"] == 5 * 22


def test_a_chunked_program_trains(tmp_path):
    """Synchronous, so stages and their placement change nothing against one worker's weights."""
    options = ["--set", "minibatches=6", "--set", "width=6", "--set", "batch_size=16",
               "--set", "layers=8", "--set", "training.task=digits-mlp", "--json"]
    chunked = json.loads(run(GOLDEN / "interleaved_1f1b.csv", *options).stdout)
    plain = json.loads(CliRunner().invoke(sim, [
        "run", "--set", "schedule=gpipe", "--set", "stages=8", "--set", "microbatches=8",
        *options]).stdout)
    assert chunked["final_loss"] == plain["final_loss"]
    assert chunked["staleness"]["max"] == 0


def test_reduce_grad_is_where_the_update_stands():
    assert str(parse(GOOD)).splitlines()[1:] == ["0F0,0F1,0B0,0B1,0U0-1", "1F0,1B0,1F1,1B1,1U0-1"]
    early = GOOD.replace("0B1,0REDUCE_GRAD", "0REDUCE_GRAD,0B1")
    assert "0U0-1 waits for" in refusal(early).rule


def test_messages_are_checked_and_kept():
    assert without_messages(parse(MESSAGES)) == parse(GOOD)
    assert parse(MESSAGES) == Program.parse(MESSAGES)
    assert parse(MESSAGES).lowered
    late = refusal(MESSAGES.replace("1RECV_F0,1F0", "1F0,1RECV_F0"))
    assert late.rule == "1F0 waits for 1RECV_F0, which its device does later"
    early = refusal(MESSAGES.replace("0F0,0SEND_F0", "0SEND_F0,0F0"))
    assert early.rule == "0SEND_F0 waits for 0F0, which its device does later"
    assert ">0SEND_F0<" in early.table
    assert "SEND_F" in refusal(MESSAGES.replace("0SEND_F1,", "")).rule


def test_unshard_and_reshard_are_understood():
    dressed = GOOD.replace("0F0", "0UNSHARD,0F0").replace("0REDUCE_GRAD", "0REDUCE_GRAD,0RESHARD")
    assert parse(dressed) == parse(GOOD)


def test_an_overlapped_pair_is_kept_as_one_and_written_as_one():
    program = parse(GOOD.replace("0F1,0B0", "(0F1;0B0)OVERLAP_F_B"))
    assert str(program).splitlines()[1] == "0F0,(0F1;0B0),0B1,0U0-1"
    assert program != parse(GOOD)
    assert np.array_equal(program.rows.op, parse(GOOD).rows.op)
    assert render(program).splitlines()[0] == "0F0,(0F1;0B0)OVERLAP_F_B,0B1"
    assert parse(render(program)) == program
    thrice = repeated(program, 3)
    assert str(thrice).splitlines()[1].split(",")[5] == "(0F3;0B2)"
    assert render(thrice) == render(program)


@pytest.mark.parametrize(("text", "said"), [
    ("0F0,0B0,0REDUCE_GRAD\n1F0,1B0,9\n", "line 2: '9' is not an instruction"),
    ("0F0,0B0,0REDUCE_GRAD0\n", "line 1: '0REDUCE_GRAD0'"),
    ("0F,0B0,0REDUCE_GRAD\n", "line 1: '0F'"),
    ("0F0,0B0,0REDUCE_GRAD\n,,\n", "line 2: this rank has no forward or backward"),
    ("0F0,0B0,2F0,2B0,0REDUCE_GRAD\n1F1,1B1\n", "stage 0 never does 0F1"),
    ("0F0,0B0,999999999B0,0REDUCE_GRAD\n", "each stage does F"),
    ("0F0,0B0,0B999999999,0REDUCE_GRAD\n", "need more than 4 instructions"),
    ("0F0,0F1,0B0,0REDUCE_GRAD\n", "stage 0 never does 0B1"),
    ("1B0,1F0,0REDUCE_GRAD,0F0,0B0\n", "cannot be executed"),
    ("0UNSHARD\n", "no forward or backward"),
])
def test_refusals(text, said):
    assert said in str(refusal(text))


def test_the_text_form_is_not_mistaken_for_torchs():
    program = SCHEDULES["round-robin"].program(PipelineShape(2, 3))
    assert not is_torch_csv(str(program))
    assert not is_torch_csv("0F0,0B0,0U0\n")
    assert not is_torch_csv("0F0,0F1,0B0-1\n")
    assert not is_torch_csv("0F0,0B0,what\n")
    assert not is_torch_csv("\n")
    assert is_torch_csv("0F0,,0B0\n")


def test_an_async_program_is_no_step_of_pytorch():
    for name, cell in (("round-robin", ">0B0<"), ("nf1b", ">0B0-1<")):
        with pytest.raises(InvalidProgramError, match="PyTorch") as caught:
            render(SCHEDULES[name].program(PipelineShape(3, 4, 2)))
        assert cell in caught.value.table


def test_an_order_that_changes_is_no_step_of_pytorch():
    streams = ["0F0,0F1,0B0,0B1,0U0-1,0F2,0F3,0B3,0B2,0U2-3"]
    text = "# pipestale program: stages=1 minibatches=2 microbatches=2 chunks=1\n" + streams[0]
    with pytest.raises(InvalidProgramError, match="another order") as caught:
        render(Program.parse(text))
    assert ">0B3<" in caught.value.table


@pytest.mark.parametrize(("text", "said"), [
    ("0F0,0F1,1F2,1B2,1F3,1B3,0B0,0B1\n1F0,1B0,0F2,1F1,1B1,0F3,0B2,0B3\n",
     "in PyTorch a stage lives on one rank"),
    ("0F0,0F1,0B0,0B1,0U0-1,0F2,0B2,0U2\n", "here the last is smaller"),
    ("0F0,0F1,(0F2;0B0),0B1,0B2,0U0-2,0F3,0F4,0F5,0B3,0B4,0B5,0U3-5\n", "other pairs"),
])
def test_what_pytorch_has_no_file_for_is_refused(text, said):
    with pytest.raises(InvalidProgramError, match=said):
        render(Program.parse(text))


@given(shapes(), st.sampled_from(["gpipe", "1f1b", "sequential"]), st.booleans())
def test_what_is_written_is_read_back(shape, name, messages):
    program = SCHEDULES[name].program(shape)
    text = render(program, messages=messages)
    assert is_torch_csv(text)
    assert repeated(without_messages(parse(text)), shape.minibatches) == program
    assert render(parse(text), messages=messages) == text


def test_export_writes_what_run_imports(tmp_path):
    from analysis.__main__ import main as analysis

    trace, out = tmp_path / "t.npz", tmp_path / "t.csv"
    assert CliRunner().invoke(sim, ["run", "--set", "schedule=1f1b", "--set", "microbatches=4",
                                    *FAST, "--out", str(trace)]).exit_code == 0
    for form in ("torch-csv", "torch-csv-comms"):
        done = CliRunner().invoke(analysis, ["export", str(trace), "--format", form, "--out",
                                             str(out)])
        assert done.exit_code == 0, done.output
        assert found(out, "--set", "minibatches=60")["makespan_s"] == found_default()
    other = tmp_path / "r.npz"
    CliRunner().invoke(sim, ["run", *FAST, "--out", str(other)])
    done = CliRunner().invoke(analysis, ["export", str(other), "--format", "torch-csv", "--out",
                                         str(tmp_path / "no.csv")])
    assert done.exit_code == 2
    assert "flush after every mini-batch" in done.output
    assert not (tmp_path / "no.csv").exists()


TOKENS = st.sampled_from([
    "0F0", "0B0", "0F1", "0B1", "0I0", "0W0", "1F0", "1B0", "1F1", "1B1", "0SEND_F0", "1RECV_F0",
    "1SEND_B0", "0RECV_B0", "0REDUCE_GRAD", "1REDUCE_GRAD", "0UNSHARD", "1RESHARD", "",
    "(0F1;1B0)OVERLAP_F_B", "()OVERLAP_F_B", "(0F0", "x", "99999999F0", "0B99999999"])


@given(st.lists(st.lists(TOKENS, max_size=8), max_size=3))
def test_no_text_makes_anything_but_a_program_or_its_refusal(rows):
    text = "\n".join(",".join(row) for row in rows)
    try:
        program = parse(text)
    except InvalidProgramError:
        return
    assert parse(render(program)) == without_messages(parse(render(program, messages=True)))


def found_default() -> float:
    result = CliRunner().invoke(sim, ["run", "--set", "schedule=1f1b", "--set", "microbatches=4",
                                      *FAST, "--json"])
    return json.loads(result.stdout)["makespan_s"]
