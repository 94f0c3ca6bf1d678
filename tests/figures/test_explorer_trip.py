"""The explorer's round trips: versions written at the passes, arrows between them."""

import re

import pytest

from sim.op import Op
from sim.order.time_units import version_unit
from tests.figures.chromium import Page, missing
from tests.figures.traces import row_of, simulated

pytestmark = pytest.mark.skipif(missing() is not None, reason=str(missing()))


def versions(found: Page, minibatch: int) -> list[tuple[str, float, float, float]]:
    """The version labels drawn for a selected mini-batch: text, middle, height, width."""
    found.driver.execute_script(
        "window.written = []; const pen = document.getElementById('overlay').getContext('2d');"
        "pen.fillText = (text, x, y) => window.written.push([text, x, y,"
        " pen.measureText(text).width]);")
    found.js("window.pipestale.select(arguments[0])", minibatch)
    found.settle()
    return [tuple(each) for each in found.js("window.written") if re.search(r"v\d", each[0])]


def test_versions_are_written_at_the_passes_that_read_them(show, default) -> None:
    """W4, W5, W5, W5, W6, W6, each above its box; two that are one and touch become one."""
    found = show(default)
    found.js("window.pipestale.look(5, 13)")
    found.settle()
    labels = sorted(versions(found, 4), key=lambda each: each[1])
    assert [text for text, *_ in labels] == [
        "W4 · v1", "W5 · v2", "W5 · v3", "W5 · v3", "W6 · v3", "W6 · v3"]
    rows = [row_of(default, text) for text in ("0F3", "1F3", "2F3", "2B3", "1B3", "0B3")]
    left = found.js("document.getElementById('spans').getBoundingClientRect().left")
    for (_, x, _, width), row in zip(labels, rows, strict=True):
        assert abs(x + left - found.middle(row)[0]) <= width / 2 + 5


def test_boxes_too_narrow_for_a_name_keep_it_beside_them(show, default) -> None:
    """With everything in sight a box has 6 pixels: its name stands in its label, tied by a line."""
    found = show(default)
    found.driver.execute_script(
        "window.lines = []; const pen = document.getElementById('overlay').getContext('2d');"
        "const line = pen.lineTo.bind(pen);"
        "pen.lineTo = (x, y) => { window.lines.push([x, y, pen.strokeStyle]); line(x, y); };")
    labels = versions(found, 4)
    assert sorted(text for text, *_ in labels) == [
        "B4 W5 · v3", "B4 W6 · v3", "B4 W6 · v3", "F4 W4 · v1", "F4 W5 · v2", "F4 W5 · v3"]
    left, top = (found.js(f"document.getElementById('spans').getBoundingClientRect().{side}")
                 for side in ("left", "top"))
    accent = found.js("getComputedStyle(document.documentElement).getPropertyValue('--accent')")
    feet = [(x + left, y + top) for x, y, colour in found.js("window.lines") if colour == accent]
    for text in ("0F3", "1F3", "2F3", "2B3", "1B3", "0B3"):
        place = found.js("window.pipestale.place(0, arguments[0])", row_of(default, text))
        assert any(abs(x - place["x"] - place["width"] / 2) < 1 and abs(y - place["y"]) < 1
                   for x, y in feet)


@pytest.mark.parametrize("shape", [{"stages": 3}, {"stages": 24}])
def test_versions_never_cover_each_other(show, shape) -> None:
    found = show(simulated({"minibatches": 40, **shape}, training=False))
    for minibatch, stretch in ((1, (-1, 200)), (20, (-1, 200)), (40, (-1, 200)), (6, (9, 50)),
                               (12, (25, 65))):
        found.js("window.pipestale.look(...arguments)", *stretch)
        found.settle()
        labels = versions(found, minibatch)
        assert len(labels) >= 3
        for number, (_, x, y, width) in enumerate(labels):
            for _, other, height, wide in labels[number + 1:]:
                assert y != height or abs(x - other) >= (width + wide) / 2


@pytest.mark.parametrize("pipeline", [
    {}, {"schedule": "nf1b", "microbatches": 4}, {"schedule": "gpipe", "microbatches": 2}])
def test_arrows_are_the_programs_own_dependencies(show, pipeline) -> None:
    trace = simulated({"stages": 4, "minibatches": 12, **pipeline}, training=False)
    found = show(trace)
    before, after = trace.program().dependencies
    for minibatch in (1, 5):
        inside = (trace.minibatch == minibatch) & (trace.op != Op.U)
        wanted = {(a, b) for a, b in zip(before.tolist(), after.tolist(), strict=True)
                  if inside[a] and inside[b]
                  and (trace.stage[a] != trace.stage[b] or trace.stage[a] == 3)}
        arrows = found.js("window.pipestale.arrows(0, arguments[0])", minibatch)
        assert {tuple(pair) for pair in arrows} == wanted
        assert len(arrows) == len(wanted)


@pytest.mark.parametrize(("pipeline", "labels"), [
    ({}, ["W4", "W5", "W5", "W5", "W6", "W6"]),
    ({"mitigation": "stash"}, ["W4", "W5", "W5", "W5", "W5", "W4"]),
    ({"dispatch": "greedy"}, []), ({"schedule": "1f1b"}, [])])
def test_weights_are_labelled_by_the_unit_in_which_they_were_the_newest(
        show, pipeline, labels) -> None:
    """SpecTrain's W4, W5, W5, W5, W6, W6; a stash takes its forward's back to the backward."""
    found = show(simulated({"minibatches": 12, **pipeline}, training=False))
    found.js("window.pipestale.select(4)")
    found.settle()
    said = [row[4].split(" · ")[0] for row in found.table()]
    assert [label for label in said if label.startswith("W")] == labels


def test_time_units_are_those_of_the_closed_form(show) -> None:
    """Every pass of every depth and rule, against the formula in Python."""
    traces = [simulated({"stages": stages, "minibatches": 12, "mitigation": mitigation},
                        training=False)
              for stages in (1, 2, 5) for mitigation in ("none", "vertical-sync")]
    found = show(*traces, names=tuple("abcdef"))
    for number, trace in enumerate(traces):
        columns = (trace.op, trace.minibatch, trace.stage, trace.version_read)
        wanted = [version_unit(Op(op), i, k, trace.shape.stages, v) if op in (Op.F, Op.B) else 0
                  for op, i, k, v in zip(*(c.tolist() for c in columns), strict=True)]
        assert found.js("window.pipestale.units(arguments[0])", number) == wanted
