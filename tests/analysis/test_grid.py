"""The terminal's grid: what stands in which column, what fits, and how it reads without colour."""

import itertools
import re
from io import StringIO

import numpy as np
import pytest
from click.testing import CliRunner
from hypothesis import given
from hypothesis import strategies as st
from rich.console import Console

from analysis.terminal.grid import lay_out, usual_slot_s
from analysis.terminal.grid_text import cut, legend, lines
from sim.__main__ import main as sim
from sim.op import Op
from sim.order.torch_csv.reading import parse
from tests.oracles.grid import grid as oracle
from tests.sim.experiments import TIMES, simulate
from tests.sim.strategies import names, shapes, timings

LOOP = "0F0,0F1,2F0,2F1,2B0,0B0,2B1,0B1\n1F0,1F1,3F0,3B0,1B0,3F1,3B1,1B1\n"
ESCAPE = "\x1b"


def text(trace, width=100, labels="updates", **options):
    return [line.plain for line in lines(lay_out(trace, width, labels, **options))]


def rendered(trace, **console):
    out = StringIO()
    screen = Console(file=out, width=100, force_terminal=True, **console)
    for line in lines(lay_out(trace, 100, "updates", minibatch=2)):
        screen.print(line, soft_wrap=True)
    return out.getvalue()


def timeline(*options, **environment):
    result = CliRunner().invoke(sim, ["timeline", *options], env=environment)
    assert result.exit_code == 0, (result.output, result.exception)
    return result.output.splitlines()


@pytest.mark.parametrize(("schedule", "micro_batches"), [
    ("gpipe", 3), ("1f1b", 4), ("round-robin", 1), ("nf1b", 2), ("sequential", 2)])
def test_unit_costs_give_the_papers_grid(schedule, micro_batches):
    trace = simulate(schedule=schedule, stages=3, minibatches=3, microbatches=micro_batches,
                     **TIMES)
    shown = text(trace, 2000)
    for device, wanted in enumerate(oracle(trace)):
        cells = shown[2 * device].split()[2:]
        assert cells[:len(wanted)] == wanted
        assert set(cells[len(wanted):]) <= {"."}


@given(st.data())
def test_nothing_is_wider_than_the_screen(data):
    """Any schedule, costs and window; every pass of the window stands in the column it starts."""
    name, shape = data.draw(names), data.draw(shapes())
    trace = simulate(schedule=name, stages=shape.stages, minibatches=shape.minibatches,
                     microbatches=shape.microbatches, **TIMES, **data.draw(timings(shape.stages)))
    width = data.draw(st.integers(60, 200))
    slot = data.draw(st.sampled_from([None, 0.5, 3.0]))
    total = lay_out(trace, width, "updates", slot_s=slot).total
    first = data.draw(st.integers(0, total - 1))
    grid = lay_out(trace, width, "updates", first=first, slot_s=slot)
    assert all(len(line.plain) <= width for line in lines(grid))
    assert grid.first == first < grid.last <= grid.total
    assert (cut(grid) == "") == (grid.first == 0 and grid.last == grid.total)
    for device in range(grid.devices):
        boxes = [b for b in grid.boxes if b.device == device]
        assert all(a.last <= b.first for a, b in itertools.pairwise(boxes))
        starts = {int(s / grid.slot_s + 0.5) for s, op, d, e in zip(
            trace.start_s, trace.op, trace.device, trace.end_s, strict=True)
            if d == device and op <= Op.W and e > s}
        assert {b.first for b in boxes} >= {s for s in starts if grid.first <= s < grid.last}


def test_the_last_number_of_the_ruler_stays_within_the_grid():
    trace = simulate(schedule="gpipe", stages=4, minibatches=3, microbatches=4, **TIMES,
                     forward_s=[1.0, 1.0, 1.0, 4.0], backward_s=[1.0, 1.0, 2.0, 0.5])
    assert all(len(line) <= 60 for line in text(trace, 60, first=126))


@given(st.integers(60, 200))
def test_as_many_columns_as_fit_are_shown(width):
    trace = simulate(stages=3, minibatches=200, **TIMES)
    grid = lay_out(trace, width, "updates", first=300)
    assert grid.margin + grid.width * (grid.last - grid.first) <= width + 1
    assert grid.margin + grid.width * (grid.last - grid.first + 1) > width + 1


def test_a_long_pass_fills_its_columns():
    trace = simulate(stages=2, minibatches=2, backward_s=3.0, **TIMES)
    first, _, second, *_ = text(trace)
    assert first == "device 0  1F 2F .  .  .  1======= .  2======="
    assert second == "device 1  .  1F 1======= 2F 2======= .  .  ."


def test_waiting_for_a_message_is_told_from_idling():
    trace = simulate(stages=2, minibatches=1, latency_s=2.0, **TIMES)
    shown = text(trace)
    assert shown[0].split()[2:] == ["1F", ".", ".", ".", ".", "~", "~", "1"]
    assert shown[2].split()[2:] == [".", "~", "~", "1F", "1", ".", ".", "."]


def test_updates_that_take_time_are_boxes():
    trace = simulate(stages=2, minibatches=1, update_s=1.0, **TIMES)
    assert text(trace)[0].split()[2:] == ["1F", ".", ".", "1", "U1"]
    assert "U = update" in legend(lay_out(trace, 100, "updates"))


def test_several_stages_of_a_device_are_told_apart():
    trace = simulate(parse(LOOP), schedule="file", stages=4, minibatches=1, microbatches=2,
                     **TIMES)
    shown = text(trace)
    assert shown[0].split()[2:] == ["1A", "1B", "1A", "1B", ".", "1a", ".", "1a", ".", "1b",
                                    ".", "1b"]
    assert shown[2].split() == ["stage", "0", "0", "2", "2", "2", "0", "2", "0"]
    assert len(shown) == 3 * 2 + 1
    styles = {str(span.style) for line in lines(lay_out(trace, 100, "updates"))
              for span in line.spans}
    assert len([s for s in styles if " on " in s]) == 4


def test_passes_that_share_a_column_are_not_hidden():
    trace = simulate(stages=2, minibatches=4, **TIMES)
    grid = lay_out(trace, 100, "updates", slot_s=4.0)
    assert any(box.several for box in grid.boxes)
    assert "+ several passes" in legend(grid)
    assert "+" in "".join(text(trace, slot_s=4.0))


def test_the_selected_mini_batch_is_marked_with_and_without_colour():
    trace = simulate(minibatches=20, **TIMES)
    shown = text(trace, minibatch=4)
    assert [len(re.findall(r"\b4F?\*", line)) for line in shown[::2][:3]] == [2, 2, 2]
    assert "*" not in "".join(text(trace))
    late = lay_out(trace, 60, "updates", minibatch=15)
    assert sum(box.selected for box in late.boxes) >= 4


def test_colours_when_there_are_some_and_no_escape_codes_when_not():
    trace = simulate(minibatches=6, **TIMES)
    assert ESCAPE in rendered(trace, color_system="truecolor")
    plain = rendered(trace, color_system=None)
    assert ESCAPE not in plain
    coloured = rendered(trace, color_system="truecolor")
    assert re.sub(r"\x1b\[[0-9;]*m", "", coloured) == plain


@pytest.mark.parametrize("width", [60, 80, 200])
def test_the_door_keeps_to_the_width_and_says_what_it_cut(width):
    shown = timeline("--minibatch", "40", COLUMNS=str(width))
    assert max(map(len, shown)) <= width
    (said,) = [line for line in shown if line.startswith("columns ")]
    found = re.fullmatch(r"columns (\d+) to (\d+) of 124 shown; --from (\d+) goes on", said)
    assert found
    assert int(found[3]) == int(found[2]) + 1


def test_no_color_leaves_no_escape_code(monkeypatch):
    monkeypatch.setenv("FORCE_COLOR", "1")
    assert ESCAPE in "".join(timeline())
    monkeypatch.setenv("NO_COLOR", "1")
    assert ESCAPE not in "".join(timeline())
    assert ESCAPE not in "".join(timeline("--minibatch", "4"))


def test_from_and_to_choose_columns():
    whole, part = timeline(COLUMNS="200"), timeline("--from", "10", "--to", "12", COLUMNS="200")
    assert part[0].split()[2:] == whole[0].split()[12:15]
    assert "columns 10 to 12 of 124 shown; --from 13 goes on" in part
    for options in (["--from", "124"], ["--from", "9", "--to", "8"], ["--column", "0"],
                    ["--column", "nan"], ["--column", "inf"], ["--column", "1e-300"],
                    ["--from", "1", "--json"]):
        refused = CliRunner().invoke(sim, ["timeline", *options])
        assert refused.exit_code == 2
        assert "Traceback" not in refused.output


def test_columns_that_do_not_fit_go_on_below():
    whole = timeline("--from", "5", "--to", "30", COLUMNS="200")
    narrow = timeline("--from", "5", "--to", "30", COLUMNS="80")
    assert max(map(len, narrow)) <= 80
    blank = [number for number, line in enumerate(narrow) if not line]
    assert blank == [7]
    for row in (0, 2, 4):
        titled, *on = narrow[row].split(), narrow[8 + row].split()[2:]
        assert titled + on[0] == whole[row].split()
        assert narrow[row + 1].split() + narrow[9 + row].split() == whole[row + 1].split()
    assert narrow[15] == whole[7] == "columns 5 to 30 of 124 shown; --from 31 goes on"


@pytest.mark.parametrize(("options", "said"), [
    (("--from", "120", "--to", "300"), "columns 120 to 123 of 124 shown; the run ends there"),
    (("--to", "124", "--column", "1"), "columns 0 to 123 of 124 shown; the run ends there"),
    (("--to", "123"), None),
    (("--to", "3", "--minibatch", "30"), "columns 0 to 3 of 124 shown; --from 4 goes on; "
                                         "mini-batch 30 takes columns 58 to 63"),
    (("--minibatch", "30", "--from", "60"), "columns 60 to 73 of 124 shown; --from 74 goes on; "
                                            "mini-batch 30 takes columns 58 to 63"),
    (("--column", "0.01", "--to", "9999"), "columns 0 to 1999 of 12400 shown; at most 2000 are "
                                           "drawn at once; --from 2000 goes on")])
def test_what_is_not_shown_of_what_was_asked_is_said(options, said):
    found = " ".join(" ".join(timeline(*options, COLUMNS="80")).split())
    assert said in found if said else " shown" not in found


def test_a_program_file_is_drawn(tmp_path):
    path = tmp_path / "loop.csv"
    path.write_text(LOOP)
    shown = timeline("--program", str(path), "--set", "task=none")
    assert shown[0].startswith("loop.csv is PyTorch's CSV: 4 stages on 2 devices")
    assert shown[1].startswith("device 0  1A 1B 1A 1B")


def test_a_column_is_a_short_pass_or_a_round_number():
    assert usual_slot_s(simulate(stages=2, minibatches=2, backward_s=2.0, **TIMES)) == 1.0
    assert usual_slot_s(simulate(schedule="nf1b", stages=2, minibatches=2, microbatches=7,
                                 backward_s=14.0, **TIMES)) == 1.0
    assert usual_slot_s(simulate(stages=2, minibatches=2, forward_s=0.01, backward_s=1.0,
                                 **TIMES)) == pytest.approx(0.1)
    assert usual_slot_s(simulate(minibatches=2, forward_s=0.0, backward_s=0.0, **TIMES)) == 1.0


def test_more_micro_batches_than_letters_have_numbers():
    trace = simulate(schedule="gpipe", stages=1, minibatches=1, microbatches=27, batch_size=27,
                     **TIMES)
    cells = text(trace, 2000)[0].split()[2:]
    assert (cells[0], cells[26], cells[27], cells[53]) == ("1F0", "1F26", "1B0", "1B26")
    assert len(set(cells)) == 54
    assert np.all(trace.end_s <= 54)


PAIRED = {"schedule": "dualpipe", "stages": 2, "microbatches": 4, "minibatches": 1}


def test_a_pair_that_runs_as_one_has_one_box_with_both_passes():
    trace = simulate(**PAIRED, overlapped_s=2.0, backward_s=2.0, **TIMES)
    assert text(trace, 200)[:3] == [
        "device 0  1A  1C  1B  1c===== 1D&1a== 1d===== 1bi 1bw",
        "          v0  v0  v0  v0      v0      v0      v0  v0",
        "  stage   0   1   0   1       1&0     1       0   0"]
    assert "& two passes issued as one" in legend(lay_out(trace, 200, "updates"))


def test_a_pair_of_two_steps_has_two_boxes():
    trace = simulate(**PAIRED, backward_s=2.0, **TIMES)
    assert text(trace, 200)[0] == "device 0  1A  1C  1B  1c===== 1D  1a===== 1d===== 1bi 1bw"
    assert "&" not in legend(lay_out(trace, 200, "updates"))
