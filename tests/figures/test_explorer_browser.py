"""The explorer in a real browser: what it says where the mouse is, and what it withstands."""

import re

import numpy as np
import pytest

from figures.explorer.page import page
from sim.op import Op
from sim.trace import COLUMNS
from tests.figures.chromium import missing
from tests.figures.traces import row_of, simulated

pytestmark = pytest.mark.skipif(missing() is not None, reason=str(missing()))
SECONDS = {"s": 1.0, "ms": 1e-3, "µs": 1e-6, "ns": 1e-9}


def seconds(text: str) -> float:
    number, unit = text.split()
    return float(number) * SECONDS[unit]


def test_it_opens_without_complaint_and_draws_every_span(show, default) -> None:
    found = show(default)
    assert int(found.data("spans")) == len(default)
    assert found.complaints() == []
    assert found.js("document.title") == "run.npz – pipestale explorer"
    view = found.view()
    assert view["from"] < 0
    assert view["to"] > default.end_s.max()


@pytest.mark.slow
def test_a_trace_of_128000_passes_is_drawn_whole_from_a_small_file(show) -> None:
    large = simulated({"stages": 16, "minibatches": 4000}, training=False)
    assert int((large.op != Op.U).sum()) == 128_000
    assert len(page([large], ["large.npz"])) < 12e6
    found = show(large)
    assert int(found.data("spans")) == len(large)
    row = row_of(large, "7B2000")
    found.js("window.pipestale.look(arguments[0] - 20, arguments[0] + 20)", large.start_s[row])
    found.settle()
    assert found.hover(row)["heading"] == "B2001 · backward"


def test_hover_reads_the_papers_row(show, default) -> None:
    found = show(default)
    facts = found.hover(row_of(default, "0F3"))
    distance = float(facts.pop("weight_distance").removesuffix(" (relative)"))
    assert distance == pytest.approx(default.weight_distance[row_of(default, "0F3")], rel=1e-3)
    assert facts == {
        "heading": "F4 · forward", "minibatch": "4", "stage": "0", "device": "0", "start_s": "6 s",
        "duration_s": "1 s", "version_read": "v1", "version_time_unit": "W4",
        "version_applied": "v3", "staleness": "2 updates"}


def test_hover_text_is_the_traces_row(show, varied) -> None:
    """Every kind of row, early and late, at a zoom at which each is some pixels wide."""
    found = show(varied)
    rows = [*range(0, len(varied), 37), *np.flatnonzero(varied.op == Op.U)[::29].tolist()]
    for row in rows:
        found.js("window.pipestale.look(arguments[0] - 5, arguments[0] + 5)", varied.start_s[row])
        found.settle()
        facts, op = found.hover(row), Op(int(varied.op[row]))
        assert facts["heading"].split(" · ")[0] == f"{op.name}{varied.minibatch[row]}"
        assert found.js("document.querySelector('#card small').textContent") == str(
            varied.instruction(row))
        assert facts["minibatch"] == str(varied.minibatch[row])
        assert facts["stage"] == str(varied.stage[row])
        assert facts["device"] == str(varied.device[row])
        assert seconds(facts["start_s"]) == pytest.approx(varied.start_s[row], rel=1e-6)
        assert seconds(facts["duration_s"]) == pytest.approx(
            varied.end_s[row] - varied.start_s[row], rel=1e-6)
        assert facts["version_applied"] == f"v{varied.version_applied[row]}"
        if op is Op.U:
            assert facts["version_made"] == f"v{varied.version_applied[row] + 1}"
            continue
        assert facts["version_read"] == f"v{varied.version_read[row]}"
        assert float(facts["staleness"].split()[0]) == varied.staleness[row]
        assert float(facts["weight_distance"].split()[0]) == pytest.approx(
            varied.weight_distance[row], rel=1e-3)
        effective = facts.get("effective_staleness", facts["staleness"])
        assert float(effective.split()[0]) == pytest.approx(
            varied.effective_staleness[row], rel=1e-3)


def test_updates_that_take_no_time_can_be_hovered(show, default) -> None:
    found = show(default)
    facts = found.hover(row_of(default, "1U9"))
    assert facts["heading"] == "U10 · update"
    assert (facts["duration_s"], facts["version_made"]) == ("0 s", "v10")


def test_an_idle_stretch_says_how_much_of_it_is_a_message(show) -> None:
    trace = simulated({"schedule": "gpipe", "minibatches": 6}, training=False,
                      cluster={"latency_s": 0.25})
    found = show(trace)
    x, y = found.middle(row_of(trace, "2F0"))
    left, _ = found.middle(row_of(trace, "1F0"))
    found.mouse("mouseMoved", left - (x - left), y)
    found.settle()
    facts = found.facts("#card[data-of=hovered]")
    assert facts["heading"] == "idle"
    assert (facts["duration_s"], facts["wait_s"]) == ("2.5 s", "250 ms")
    assert "message is under way" in found.js("document.getElementById('legend').textContent")


def test_nothing_is_told_beside_the_lanes(show, default) -> None:
    found = show(default)
    found.hover(row_of(default, "0F3"))
    found.mouse("mouseMoved", 500, 795)
    found.settle()
    assert found.js("document.getElementById('card').dataset.of") == "nothing"
    assert "Point at a span" in found.js("document.getElementById('card').textContent")


def test_a_click_shows_the_round_trip_of_minibatch_4(show, default) -> None:
    found = show(default)
    found.click(row_of(default, "1F3"))
    assert found.view()["minibatch"] == 4
    rows = found.table()
    assert [row[:5] for row in rows] == [
        ["F4", "0", "6", "1", "W4 · v1"], ["F4", "1", "7", "1", "W5 · v2"],
        ["F4", "2", "8", "1", "W5 · v3"], ["B4", "2", "9", "1", "W5 · v3"],
        ["B4", "1", "10", "1", "W6 · v3"], ["B4", "0", "11", "1", "W6 · v3"]]
    assert [row[5] for row in rows] == ["2", "1", "0", "0", "0", "0"]
    assert "makes v4 on every stage, from 10 s to 12 s" in found.js(
        "document.getElementById('trip').textContent")
    assert found.facts("#card")["heading"] == "F4 · forward"
    said = found.js("document.getElementById('said').textContent")
    assert "F4, forward" in said
    assert "version read v2" in said


def test_columns_arrive_whole_with_and_without_the_browsers_inflate(show, driver, varied) -> None:
    for script in ("", "delete window.DecompressionStream"):
        added = driver.execute_cdp_cmd("Page.addScriptToEvaluateOnNewDocument", {"source": script})
        try:
            found = show(varied)
            assert found.js("typeof DecompressionStream") == ("undefined" if script else "function")
            for name in COLUMNS:
                sent = found.js("window.pipestale.column(0, arguments[0])"
                                ".map((v) => Number.isNaN(v) ? null : v)", name)
                assert np.array_equal(np.array(sent, dtype=float),
                                      getattr(varied, name).astype(float), equal_nan=True)
        finally:
            driver.execute_cdp_cmd("Page.removeScriptToEvaluateOnNewDocument",
                                   {"identifier": added["identifier"]})


def test_a_name_can_do_nothing_but_be_shown(show) -> None:
    name = '</script><img src=x onerror=alert(1)>"&.npz'
    found = show(simulated({"minibatches": 6}, training=False), names=(name,))
    assert found.js("document.title") == f"{name} – pipestale explorer"
    assert found.js("document.images.length") == 0
    found.click(0)
    assert name in found.js("document.querySelector('#trip caption').textContent")
    assert found.complaints() == []


def test_a_damaged_page_says_so(show, default) -> None:
    found = show(default, change=lambda text: re.sub(
        r'("deflated": ")[^"]{200}', lambda m: m[1] + "A" * 200, text))
    assert found.data("error")
    assert "could not be drawn" in found.js("document.getElementById('said').innerText")
    assert found.js("document.getElementById('said').getBoundingClientRect().width") > 100
