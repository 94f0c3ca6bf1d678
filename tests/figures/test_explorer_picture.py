"""The explorer's picture: lanes, pixels, colours, light and dark, wide and narrow."""

import re
from dataclasses import replace

import numpy as np
import pytest

from figures.drawing.colours import PASSES
from sim.op import Op
from sim.trace import Trace
from tests.figures.chromium import Page, missing, scheme, size
from tests.figures.traces import row_of, simulated

pytestmark = pytest.mark.skipif(missing() is not None, reason=str(missing()))
FORWARD, BACKWARD = (tuple(bytes.fromhex(PASSES[op][1:])) for op in "FB")


def pixel(found: Page, x: float, y: float) -> tuple[int, ...]:
    return tuple(found.js(
        "[...document.getElementById('spans').getContext('2d')"
        ".getImageData(arguments[0] - frame().left, arguments[1] - frame().top, 1, 1).data]"
        ".slice(0, 3); function frame() {"
        "return document.getElementById('spans').getBoundingClientRect(); }", x, y))


def colour_by(found: Page, mode: str) -> None:
    choose(found, "colour", mode)


def choose(found: Page, name: str, value: str) -> None:
    """An option of one of the page's lists."""
    found.js(f"(list => {{ list.value = '{value}'; list.dispatchEvent(new Event('change')); }})"
             f"(document.getElementById('{name}'))")
    found.settle()


def test_several_traces_share_the_axis_in_their_order(show, default) -> None:
    stash = simulated({"mitigation": "stash", "minibatches": 30})
    found = show(default, stash)
    assert int(found.data("spans")) == len(default) + len(stash)
    one, other = found.middle(row_of(default, "2F3")), found.middle(row_of(stash, "2F3"), 1)
    assert one[0] == other[0]
    assert one[1] < other[1]
    heights = [found.middle(row_of(trace, f"{k}F3"), t)[1]
               for t, trace in enumerate((default, stash)) for k in range(3)]
    assert heights == sorted(heights)
    found.click(row_of(stash, "0B3"), 1)
    assert [row[4] for row in found.table(0)][-1] == "W6 · v3"
    assert [row[4] for row in found.table(1)] == [
        "W4 · v1", "W5 · v2", "W5 · v3", "W5 · v3", "W5 · v2", "W4 · v1"]
    found.js("window.pipestale.select(45)")
    found.settle()
    assert found.js("document.querySelectorAll('#trip table').length") == 1


def test_lanes_scroll_where_they_do_not_fit(show, default) -> None:
    deep = simulated({"stages": 24, "minibatches": 30}, training=False)
    found = show(deep, deep, names=("a", "b"))
    row = row_of(deep, "20F5")
    assert found.middle(row, 1)[1] > 800
    found.js("window.pipestale.reveal(1, arguments[0])", row)
    found.settle()
    assert 100 < found.middle(row, 1)[1] < 800
    assert found.hover(row, 1)["heading"] == "F6 · forward"


def test_devices_with_several_stages_and_overlaps_get_their_lanes(show) -> None:
    trace = simulated({"stages": 4, "minibatches": 8}, training=False)
    folded = replace(trace, device=trace.stage % 2)
    found = show(folded)
    lanes = found.js("window.pipestale.lanes(0)")
    assert [lane["name"] for lane in lanes if lane["name"]] == [
        "device 0: stages 0, 2", "device 1: stages 1, 3"]
    assert len(lanes) > 2, "spans that overlap need room"
    assert sorted(row for lane in lanes for row in lane["rows"]) == list(range(len(trace)))
    for lane in lanes:
        rows = lane["rows"]
        assert (folded.start_s[rows[1:]] >= folded.end_s[rows[:-1]]).all()
    found.js("window.pipestale.look(0, 12)")
    found.settle()
    for row in np.flatnonzero((folded.end_s < 10) & (folded.op != Op.U)).tolist():
        assert found.hover(row)["heading"].startswith(
            f"{Op(int(folded.op[row])).name}{folded.minibatch[row]} ")


def test_chunks_and_workers_are_told_apart(show) -> None:
    chunked = simulated({"schedule": "interleaved", "stages": 8, "chunks": 2, "microbatches": 8,
                         "minibatches": 1}, training=False)
    crew = simulated({"stages": 2, "minibatches": 12}, training=False, workers={"count": 2})
    found = show(chunked, crew)
    assert int(found.data("spans")) == len(chunked) + len(crew)
    assert [lane["name"] for lane in found.js("window.pipestale.lanes(0)")] == [
        f"device {d}: stages {d}, {d + 4}" for d in range(4)]
    assert [lane["name"] for lane in found.js("window.pipestale.lanes(1)")] == [
        f"worker {w}, stage {k}" for w in range(2) for k in range(2)]
    light, dark = (pixel(found, *found.middle(row_of(chunked, name))) for name in ("0F0", "4F0"))
    assert light == FORWARD
    assert all(a < b for a, b in zip(dark, light, strict=True))
    for trace, number, last in ((chunked, 0, 7), (crew, 1, 1)):
        before, after = trace.program().dependencies
        inside = (trace.minibatch == 1) & (trace.op != Op.U)
        wanted = {(a, b) for a, b in zip(before.tolist(), after.tolist(), strict=True)
                  if inside[a] and inside[b]
                  and (trace.stage[a] != trace.stage[b] or trace.stage[a] == last)}
        arrows = found.js("window.pipestale.arrows(arguments[0], 1)", number)
        assert {tuple(pair) for pair in arrows} == wanted


def test_pairs_that_run_as_one_lie_below_each_other(show) -> None:
    """The second passes of a device's pairs have a lane under its own, so that all can be read."""
    trace = simulated({"schedule": "dualpipe", "stages": 4, "microbatches": 8, "minibatches": 1},
                      training=False, costs={"overlapped_s": 1.5})
    found = show(trace)
    lanes = found.js("window.pipestale.lanes(0)")
    assert [lane["name"] for lane in lanes[::2]] == [
        f"device {d}: stages {min(d, 3 - d)}, {max(d, 3 - d)}" for d in range(4)]
    second = set(np.flatnonzero(trace.with_previous).tolist())
    assert [set(lane["rows"]) for lane in lanes[1::2]] == [
        {row for row in second if trace.device[row] == d} for d in range(4)]
    row = row_of(trace, "3B5")  # issued with 0F3, of the first device
    assert row in second
    assert found.hover(row)["heading"].startswith("B1.5 ")


def strip_of(found: Page, x: float, row: int) -> list[tuple[int, ...]]:
    """The pixels of a lane under `x`, top to bottom, of the lane a row lies in."""
    place = found.js("window.pipestale.place(0, arguments[0])", row)
    flat = found.js(
        "[...document.getElementById('spans').getContext('2d').getImageData(arguments[0]"
        " - frame().left, arguments[1] - frame().top, 1, arguments[2]).data]; function frame() {"
        "return document.getElementById('spans').getBoundingClientRect(); }",
        round(x), round(place["y"]), round(place["height"]))
    return [tuple(flat[i:i + 3]) for i in range(0, len(flat), 4)]


def under(found: Page, trace: Trace, x: float, mine: np.ndarray) -> np.ndarray:
    """Seconds of each of a trace's passes in the time of one pixel column."""
    frame = found.js("document.getElementById('spans').getBoundingClientRect().left")
    first, last = (found.js("window.pipestale.place(0, arguments[0]).x", row) - frame
                   for row in (0, len(trace) - 1))
    second = (last - first) / (trace.start_s[-1] - trace.start_s[0])
    left, right = ((at - frame - first) / second for at in (round(x), round(x) + 1))
    over = np.minimum(trace.end_s, right) - np.maximum(trace.start_s, left)
    return np.where(mine, np.clip(over, 0, None), 0) / (right - left)


def test_zoomed_out_a_column_is_split_by_what_ran(show) -> None:
    """Forwards below, backwards above them, idle on top: each as high as its share of time."""
    trace = simulated({"minibatches": 20_000, "stages": 2}, training=False,
                      costs={"forward_s": [1.0, 0.5]})
    found = show(trace)
    mine = (trace.device == 1) & (trace.op != Op.U)
    legend = {FORWARD, BACKWARD}
    for x in (400, 555, 700):
        column = strip_of(found, x, int(np.argmax(mine)))
        share = under(found, trace, x, mine)
        for colour, op in ((FORWARD, Op.F), (BACKWARD, Op.B)):
            high = sum(each == colour for each in column)
            assert high == pytest.approx(share[trace.op == op].sum() * len(column), abs=1.6)
        idle = sum(each not in legend for each in column)
        assert idle == pytest.approx((1 - share.sum()) * len(column), abs=1.6)
        assert column == sorted(column, key=lambda each: (each in legend, each == FORWARD))
        assert len(set(column)) == 3, "no colour that is no pass' nor the lane's own"
    assert not found.js("document.getElementById('mean').hidden")
    found.js("window.pipestale.look(0, 20)")
    found.settle()
    assert found.js("document.getElementById('mean').hidden")


def test_zoomed_out_a_number_is_averaged_not_its_colour(show) -> None:
    """A lane of staleness 0 and 2 has the colour of 1, as the lane whose passes are all 1 has."""
    trace = simulated({"minibatches": 6000}, training=False)
    late = np.where(trace.stage == 1, 1.0, np.where(trace.op == Op.F, 2.0, 0.0))
    found = show(replace(trace, staleness=late))
    colour_by(found, "staleness")
    mixed, even, fresh = (strip_of(found, 500, int(np.argmax(trace.stage == k)))
                          for k in range(3))
    assert [len(set(lane)) for lane in (mixed, even, fresh)] == [1, 1, 1]
    for lane in (mixed, fresh):
        assert lane[0] == pytest.approx(even[0], abs=6), "nearly as many of one as of the other"
    assert re.search(r"staleness 0\s*2 updates", found.js(
        "document.getElementById('legend').innerText")), "a scale, where means have every colour"
    colour_by(found, "minibatch")
    assert re.search(r"mini-batches 1–100\s*101–200", found.js(
        "document.getElementById('legend').innerText")), "a colour for as many as can be told apart"


def test_colours_follow_the_choice_and_have_a_legend(show, default) -> None:
    found = show(default)

    def at(instruction: str) -> tuple[int, ...]:
        place = found.js("window.pipestale.place(0, arguments[0])", row_of(default, instruction))
        return pixel(found, place["x"] + place["width"] / 2, place["y"] + 3)

    def legend() -> str:
        return str(found.js("document.getElementById('legend').innerText"))

    assert (at("0F9"), at("0B9")) == (FORWARD, BACKWARD)
    update = pixel(found, *found.middle(row_of(default, "0U9")))
    assert update == tuple(bytes.fromhex(PASSES["U"][1:])), "the figures' own colour"
    assert re.search(r"forward\s*backward\s*update", legend())
    colour_by(found, "staleness")
    fresh, late = at("0B9"), at("0F9")
    assert fresh == at("2F9") != late
    assert at("1F9") not in (fresh, late)
    assert re.search(r"staleness 0\s*1\s*2\s*updates", legend())
    colour_by(found, "minibatch")
    assert at("0F9") == at("2B9") == at("0F16") != at("0F10")
    assert "repeats every 7" in legend()
    colour_by(found, "distance")
    assert at("0B9") == fresh
    assert at("0F9") != fresh
    assert re.search(r"weight distance 0\s*≥ [\d.]+ \(relative\)", legend())


def test_unmeasured_distances_are_said_to_be_so(show) -> None:
    trace = simulated({"minibatches": 8}, training=False)
    found = show(trace)
    colour_by(found, "distance")
    assert "not measured" in found.js("document.getElementById('legend').innerText")
    assert found.hover(row_of(trace, "0F3"))["weight_distance"] == "not measured"


def luminance(found: Page) -> tuple[float, float]:
    """Of the page and of the canvas' own background."""
    body = re.findall(r"\d+", found.js("getComputedStyle(document.body).backgroundColor"))
    return sum(map(int, body[:3])) / 3, sum(pixel(found, 4, 790)) / 3


def test_light_and_dark_follow_the_system_or_the_choice(show, driver, default) -> None:
    found = show(default)
    assert min(luminance(found)) > 230
    scheme(driver, "dark")
    found.settle()
    assert max(luminance(found)) < 40
    for theme, dark in (("light", False), ("dark", True), ("system", True)):
        choose(found, "theme", theme)
        assert (max(luminance(found)) < 40) == dark
        assert (min(luminance(found)) > 230) != dark


def test_a_narrow_window_puts_the_panel_below(show, driver, default) -> None:
    found = show(default)
    size(driver, 700, 900)
    found.settle()
    chart, panel = (found.js(f"document.getElementById('{name}').getBoundingClientRect().toJSON()")
                    for name in ("chart", "panel"))
    assert panel["top"] >= chart["bottom"]
    assert found.js("document.documentElement.scrollWidth") <= 700
    assert found.hover(row_of(default, "1F3"))["heading"] == "F4 · forward"
    card = found.js("document.getElementById('card').getBoundingClientRect().toJSON()")
    assert chart["bottom"] <= card["top"] < card["bottom"] <= 900
