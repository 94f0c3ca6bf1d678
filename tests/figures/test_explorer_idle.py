"""What devices waited for, in the explorer's panel: its numbers, its words, a click from each."""

import pytest

from analysis.metrics.chain import Chains
from analysis.metrics.explained import explained
from figures.explorer.idle import stretches
from sim.trace import Trace
from tests.figures.chromium import Page, missing
from tests.figures.test_explorer_known import pixel
from tests.figures.traces import row_of, simulated

in_browser = pytest.mark.skipif(missing() is not None, reason=str(missing()))
RING = "#C24400"  # --arrow of the light page


@pytest.fixture(scope="module")
def flushed() -> Trace:
    return simulated({"schedule": "1f1b", "stages": 4, "microbatches": 8, "minibatches": 2},
                     training=False, costs={"backward_s": 2.0}, cluster={"latency_s": 0.5})


def lines(found: Page) -> list[list[str]]:
    return list(found.js("[...document.querySelectorAll('#idle tr[data-stretch]')]"
                         ".map((tr) => [...tr.cells].map((td) => td.textContent))"))


def test_rows_are_those_the_report_names(flushed) -> None:
    found, named = stretches(flushed, Chains(flushed)), explained(flushed)["stretches"]
    assert len(found) == len(named)
    for one, other in zip(found, named, strict=True):
        assert {key: one[key] for key in ("device", "kind", "times", "seconds", "from_s", "to_s")
                } == {key: other[key] for key in one if key in other}
        assert one["row"] is None or str(flushed.instruction(one["row"])) == other["instruction"]
        assert [str(flushed.instruction(row)) for row in one["passes"]] == [
            each["instruction"] for each in (other["meanwhile"] or {"passes": []})["passes"]]


@in_browser
def test_the_panel_says_what_the_report_says(show, flushed) -> None:
    found, want = show(flushed), explained(flushed)["stretches"]
    assert [[float(cell) for cell in cells[1:]] for cells in lines(found)] == [
        pytest.approx([e["device"], e["seconds"], e["times"], e["to_s"] - e["from_s"]], rel=1e-3)
        for e in want[:8]]
    why = found.js("document.querySelector('#idle tr.why').textContent")
    assert why == ("waited for B1.0 of device 1: 7 s of F1.0@3, B1.0@3, B1.0@2, B1.0@1; "
                   "2 s of messages")
    assert "nothing was left to do" in found.js("document.getElementById('idle').textContent")
    found.js("document.querySelector('#idle > button')?.click()")
    assert len(lines(found)) == len(want)


@in_browser
def test_a_button_leads_to_the_longest_stretch_with_what_ran_meanwhile_framed(show, flushed
                                                                              ) -> None:
    found, first = show(flushed), explained(flushed)["stretches"][0]
    found.js("document.querySelector('#idle tr[data-stretch] button').click()")
    found.settle()
    seen = found.view()
    assert seen["from"] < first["from_s"] < first["to_s"] < seen["to"]
    assert seen["to"] - seen["from"] < 1.5 * (first["to_s"] - first["from_s"])
    assert found.facts("#card[data-of=chosen]")["heading"].startswith("B1.0")
    place = found.js("window.pipestale.place(0, arguments[0])", row_of(flushed, "2B0"))
    framed = {pixel(found, place["x"] + dx, place["y"] + place["height"] / 2, "overlay")
              for dx in range(-6, 3)}
    assert RING in framed
    assert "Device 0 stood idle for 9 s: waited for B1.0 of device 1" in found.js(
        "document.getElementById('said').textContent")
    found.keys("\ue00c")  # Escape
    assert RING not in {pixel(found, place["x"] + dx, place["y"] + place["height"] / 2, "overlay")
                        for dx in range(-6, 3)}


@in_browser
def test_each_trace_has_its_own_and_a_run_that_never_waits_none(show, flushed) -> None:
    busy = simulated({"stages": 1, "minibatches": 3}, training=False)
    found = show(flushed, busy)
    assert found.js("document.querySelectorAll('#idle table').length") == 1
    found = show(busy)
    assert found.js("document.getElementById('idle').hidden")
