"""The explorer's measured stretch, strip, search, guide and lanes that use the page."""

import numpy as np
import pytest

from figures.drawing.colours import PASSES
from sim.op import Op
from tests.figures.chromium import Page, missing, size
from tests.figures.traces import row_of, simulated

pytestmark = pytest.mark.skipif(missing() is not None, reason=str(missing()))


def frame(found: Page, name: str) -> dict:
    return dict(found.js(f"document.getElementById('{name}').getBoundingClientRect().toJSON()"))


def drag(found: Page, start: tuple[float, float], end: tuple[float, float], shift: bool = False,
         ) -> None:
    more = {"button": "left", "clickCount": 1, "modifiers": 8 if shift else 0}
    found.mouse("mousePressed", *start, **more)
    for part in (0.5, 1):
        found.mouse("mouseMoved", *(a + (b - a) * part for a, b in zip(start, end, strict=True)),
                    buttons=1, **more)
    found.mouse("mouseReleased", *end, **more)
    found.settle()


def text(found: Page, name: str) -> str:
    return str(found.js(f"document.getElementById('{name}').innerText"))


def at(found: Page, time: float) -> float:
    """Pixel of a moment in the window: the default trace begins with a box of one second."""
    place = found.js("window.pipestale.place(0, 0)")
    return float(place["x"] + time * place["width"])


@pytest.mark.parametrize("where", ["axis", "lane"])
def test_a_stretch_is_measured_on_the_axis_or_with_shift(show, default, where: str) -> None:
    found = show(default)
    y = frame(found, "spans")["top"] + 12 if where == "axis" else found.middle(0)[1]
    before = found.view()
    drag(found, (at(found, 2) + 2, y), (at(found, 40) - 2, y), shift=where == "lane")
    assert found.view() == before, "nothing moves"
    facts = found.facts("#range")
    inside = (default.start_s >= 2) & (default.end_s <= 40)
    passes = default.op != Op.U
    done = np.array([default.end_s[default.minibatch == i].max()
                     for i in range(1, default.minibatch.max() + 1)])
    assert text(found, "range").startswith("Measured 38 s"), "edges jump to the spans' own"
    assert [facts[f"range_{name}"] for name in ("from", "to", "length")] == ["2 s", "40 s", "38 s"]
    assert facts["range_passes"] == ", ".join(
        f"{int((inside & (default.op == op)).sum())} {op.name}" for op in (Op.F, Op.B, Op.U))
    assert facts["range_done"].startswith(f"{int(((done > 2) & (done <= 40)).sum())} (")
    seconds = (default.end_s - default.start_s) * (inside & passes)
    busy = [100 * seconds[default.device == k].sum() / 38 for k in range(3)]
    for k, share in enumerate(busy):
        assert share < 100 or k == 2
        assert f"stage {k} {share:.1f} % busy" in " ".join(text(found, "range").split())
    bars = found.js("[...document.querySelectorAll('#range .bar')].map((bar) => bar.offsetWidth)")
    for bar, share in zip(bars, busy, strict=False):
        assert bar == pytest.approx(bars[2] * share / busy[2], abs=1)
    found.keys("\ue00c")  # Escape
    assert found.js("document.getElementById('range').hidden")


def test_m_measures_the_selection_and_f_zooms_to_it(show, default) -> None:
    found = show(default)
    found.js("window.pipestale.select(4)")
    found.keys("m")
    assert text(found, "range").startswith("Measured 6 s")
    found.keys("\ue00c", "f")
    view = found.view()
    assert (view["from"], view["to"]) == pytest.approx((6 - 6 / 10.5, 12 + 6 / 10.5))
    found.keys("b")
    assert found.view()["to"] > default.end_s.max()


def test_showing_a_minibatch_lets_its_trip_fill_the_view(show) -> None:
    trace = simulated({"minibatches": 4000}, training=False)
    found = show(trace)
    found.keys("/", "2000", "\ue007")
    mine = trace.minibatch == 2000
    length = trace.end_s[mine].max() - trace.start_s[mine].min()
    view = found.view()
    assert 0.7 < length / (view["to"] - view["from"]) < 0.95
    found.js("document.activeElement.blur()")
    found.keys("\ue003")  # Backspace
    assert found.view()["to"] > 4000


def test_the_search_finds_boxes_and_instructions_and_says_what_is_wrong(show, default) -> None:
    found = show(default)

    def search(what: str) -> tuple[str, str]:
        found.keys("\ue00c", "/", what, "\ue007")
        small = found.js("document.querySelector('#card small')?.textContent ?? ''")
        return small, found.js("document.querySelector('#goto output').textContent")

    found.hover(0)  # where the pointer rests no longer matters
    assert search("B7") == ("2B6", "1 of 3")
    found.keys("\ue007")
    assert found.js("document.querySelector('#card small').textContent") == "1B6"
    assert search("B7@0") == ("0B6", "")
    assert search("1f16") == ("1F16", "")
    assert found.facts("#card")["heading"] == "F17 · forward"
    assert search("61")[1] == "there is no mini-batch 61: they are 1 to 60"
    assert "write a mini-batch (17)" in search("<b>x")[1]
    assert search("7F3")[1] == "no span is called 7F3"
    assert found.js("getComputedStyle(document.querySelector('#goto output')).color") != found.js(
        "getComputedStyle(document.body).color")


def test_the_strip_shows_the_whole_run_and_moves_the_window(show, default) -> None:
    found = show(default)
    strip = frame(found, "strip")
    first, last = strip["left"] + found.js("window.pipestale.gutter()"), strip["right"] - 12
    y = (strip["top"] + strip["bottom"]) / 2

    def slide(start: float, end: float) -> tuple[float, float]:
        """Drag on the strip between two moments of the run; the window it leaves."""
        drag(found, *((first + time / default.end_s.max() * (last - first), y)
                      for time in (start, end)))
        return found.view()["from"], found.view()["to"]

    found.js("window.pipestale.look(40, 60)")
    found.settle()
    assert slide(50, 70) == pytest.approx((60, 80), abs=0.4), "moved"
    assert slide(80, 100) == pytest.approx((60, 100), abs=0.6), "its right edge taken"
    assert slide(10, 30) == pytest.approx((10, 30), abs=0.4), "drawn anew"
    pixels = found.js("[...document.getElementById('strip').getContext('2d').getImageData("
                      "arguments[0], 0, 1, 46).data]", round(first + 0.16 * (last - first)) - 8)
    seen = {tuple(pixels[i:i + 3]) for i in range(0, len(pixels), 4)}
    assert {tuple(bytes.fromhex(PASSES[op][1:])) for op in "FB"} <= seen, "in the lanes' colours"


def test_lanes_use_the_page(show, driver, default) -> None:
    found = show(default)
    heights = []
    for high in (500, 800, 1080):
        size(driver, 1400, high)
        found.settle()
        heights.append(found.js("window.pipestale.place(0, 0).height"))
    assert heights[0] < heights[1] <= heights[2]
    assert heights[2] > 60


def test_the_card_never_covers_the_lanes(show, default) -> None:
    found = show(default)
    found.click(row_of(default, "1F3"))
    found.hover(row_of(default, "2B3"))
    assert frame(found, "card")["left"] >= frame(found, "chart")["right"]
    high = frame(found, "card")["height"]
    found.mouse("mouseMoved", 500, 790)
    found.settle()
    assert found.facts("#card")["heading"] == "F4 · forward", "the chosen one again"
    assert frame(found, "card")["height"] == high, "nothing below it jumps"


def test_the_guide_walks_a_minibatch_through_w4_to_w6(show, default) -> None:
    found = show(default)
    assert found.js("document.getElementById('story').hidden"), "not unasked where tests drive"
    found.keys("?")
    assert "measure what is selected" in text(found, "help")
    found.js("document.getElementById('tour').click()")
    said = []
    while found.js("!document.getElementById('story').hidden"):
        found.settle()
        said.append(text(found, "story"))
        found.keys("\ue007")  # Enter, on Next
    assert len(said) == 7
    assert "On stage 0 F4 reads W4 · v1: v1 is the weights of stage 0 after 1 update" in said[1]
    assert "There F4 reads W5 · v3, though it set out with v1" in said[2]
    assert "B4 reads W6 · v3, but F4 reads W4 · v1" in said[4]
    assert "Its update makes v4 of v3" in said[5]
    assert "it is 2 updates late" in said[5]
    assert found.js("document.getElementById('colour').value") == "pass"
    assert found.view()["minibatch"] is None
    found.js("location.hash = '#story'")
    found.driver.refresh()
    found.wait("document.documentElement.matches('[data-spans]')")
    assert not found.js("document.getElementById('story').hidden")


def test_who_opens_an_explorer_first_is_guided_and_only_then(show, driver, default) -> None:
    added = driver.execute_cdp_cmd("Page.addScriptToEvaluateOnNewDocument", {
        "source": "Object.defineProperty(navigator, 'webdriver', { get: () => false })"})
    try:
        driver.execute_script("try { localStorage.clear(); } catch {}")
        hidden = [show(default).js("document.getElementById('story').hidden") for _ in range(2)]
        assert hidden == [False, True]
    finally:
        driver.execute_cdp_cmd("Page.removeScriptToEvaluateOnNewDocument",
                               {"identifier": added["identifier"]})


@pytest.mark.parametrize(("pipeline", "wanted"), [
    ({"mitigation": "stash"}, "B4 reads W4 · v1, the version of its forward pass"),
    ({"schedule": "gpipe", "microbatches": 2}, "the very version its forward pass read"),
    ({"stages": 1}, "F2 reads W2 · v1: v1 is the weights of stage 0 after 1 update")])
def test_the_guide_tells_each_trace_its_own_story(show, pipeline, wanted) -> None:
    found = show(simulated({"minibatches": 8, **pipeline}, training=False))
    found.js("document.getElementById('tour').click()")
    said = ""
    while found.js("!document.getElementById('story').hidden"):
        said += text(found, "story")
        found.js("document.querySelector('#story .primary').click()")
    assert wanted in said
    assert "NaN" not in said
    assert "undefined" not in said
