"""The explorer in a real browser: what it draws, says and answers, driven as a user would."""

import re
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from figures.explorer.page import page
from sim.configuration import resolve
from sim.experiment import run
from sim.instruction import Op
from sim.program import Program
from sim.trace import COLUMNS, Trace
from tests.figures.chromium import Page, chromium, missing, scheme, size

pytestmark = pytest.mark.skipif(missing() is not None, reason=str(missing()))
SECONDS = {"s": 1.0, "ms": 1e-3, "µs": 1e-6, "ns": 1e-9}
SKY, ORANGE = (86, 180, 233), (230, 159, 0)


def simulated(pipeline: dict | None = None, training: bool = True, **more) -> Trace:
    return run(resolve({"pipeline": pipeline or {}, **more}), training=training)


@pytest.fixture(scope="module")
def default() -> Trace:
    return simulated()


@pytest.fixture(scope="module")
def varied() -> Trace:
    """Jitter, messages, updates that take time, interpolated weights."""
    return simulated({"stages": 4, "dispatch": "greedy", "mitigation": "i-timeprest"},
                     costs={"jitter": {"sigma": 0.3}, "update_s": 0.1}, cluster={"latency_s": 0.2})


@pytest.fixture(scope="module")
def driver():
    with chromium() as browser:
        yield browser


@pytest.fixture
def show(driver, tmp_path):
    """A page of traces, opened in a wide, light window."""
    def opened(*traces: Trace, names: tuple[str, ...] = ("run.npz", "other.npz", "third.npz"),
               change=lambda text: text) -> Page:
        path = Path(tmp_path, "page.html")
        path.write_text(change(page(traces, names[:len(traces)])), encoding="utf-8")
        size(driver, 1400, 800)
        scheme(driver, "light")
        driver.get_log("browser")
        return Page(driver, path)
    return opened


def row_of(trace: Trace, instruction: str) -> int:
    (row,) = (r for r in range(len(trace)) if str(trace.instruction(r)) == instruction)
    return row


def seconds(text: str) -> float:
    number, unit = text.split()
    return float(number) * SECONDS[unit]


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
    assert found.hover(row)["heading"] == "7B2000 · backward"


def test_hover_reads_the_papers_row(show, default) -> None:
    found = show(default)
    facts = found.hover(row_of(default, "0F3"))
    distance = float(facts.pop("weight_distance").removesuffix(" (relative)"))
    assert distance == pytest.approx(default.weight_distance[row_of(default, "0F3")], rel=1e-3)
    assert facts == {
        "heading": "0F3 · forward", "minibatch": "4", "stage": "0", "device": "0", "start_s": "6 s",
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
        assert facts["heading"].split(" · ")[0] == str(varied.instruction(row))
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
    assert facts["heading"] == "1U9 · update"
    assert (facts["duration_s"], facts["version_made"]) == ("0 s", "v10")


def test_an_idle_stretch_says_how_much_of_it_is_a_message(show) -> None:
    trace = simulated({"schedule": "gpipe", "minibatches": 6}, training=False,
                      cluster={"latency_s": 0.25})
    found = show(trace)
    x, y = found.middle(row_of(trace, "2F0"))
    left, _ = found.middle(row_of(trace, "1F0"))
    found.mouse("mouseMoved", left - (x - left), y)
    found.settle()
    facts = found.facts("#tip:not([hidden])")
    assert facts["heading"] == "idle"
    assert (facts["duration_s"], facts["wait_s"]) == ("2.5 s", "250 ms")
    assert "message is under way" in found.js("document.getElementById('legend').textContent")


def test_nothing_is_told_beside_the_lanes(show, default) -> None:
    found = show(default)
    found.hover(row_of(default, "0F3"))
    found.mouse("mouseMoved", 500, 700)
    found.settle()
    assert found.js("document.getElementById('tip').hidden")


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
    assert found.facts("#chosen")["heading"] == "1F3 · forward"
    said = found.js("document.getElementById('said').textContent")
    assert "1F3, forward" in said
    assert "version read v2" in said


def versions(found: Page, minibatch: int) -> list[tuple[str, float, float, float]]:
    """The version labels drawn for a selected mini-batch: text, middle, height, width."""
    found.driver.execute_script(
        "window.written = []; const pen = document.getElementById('overlay').getContext('2d');"
        "pen.fillText = (text, x, y) => window.written.push([text, x, y,"
        " pen.measureText(text).width]);")
    found.js("window.pipestale.select(arguments[0])", minibatch)
    found.settle()
    return [tuple(each) for each in found.js("window.written") if each[0].startswith(("W", "v"))]


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
    found.js("window.pipestale.fit()")
    found.settle()
    assert len(versions(found, 4)) == 5


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
    before, after = Program.from_trace(trace).dependencies
    for minibatch in (1, 5):
        inside = (trace.minibatch == minibatch) & (trace.op != Op.U)
        wanted = {(a, b) for a, b in zip(before.tolist(), after.tolist(), strict=True)
                  if inside[a] and inside[b]
                  and (trace.stage[a] != trace.stage[b] or trace.stage[a] == 3)}
        arrows = found.js("window.pipestale.arrows(0, arguments[0])", minibatch)
        assert {tuple(pair) for pair in arrows} == wanted
        assert len(arrows) == len(wanted)


def test_the_table_and_buttons_do_all_the_mouse_does(show, default) -> None:
    found = show(default)
    found.js("document.getElementById('number').focus()")
    found.keys("4", "\ue007")
    assert len(found.table()) == 6
    assert "F4 on stage 0 W4 · v1" in found.js("document.getElementById('said').textContent")
    found.js("document.querySelectorAll('#trip .actions button')[1].focus()")  # Next
    found.keys(" ")
    assert found.view()["minibatch"] == 5
    assert found.js("document.activeElement.textContent") == "Next"
    found.keys("\ue004", "\ue004", "\ue004", "\ue004")  # Tab: zoom, clear, first and second pass
    found.keys("\ue007")
    assert found.facts("#chosen")["heading"] == "1F4 · forward"
    assert found.js("document.activeElement.closest('tr').className") == "chosen"
    assert "1F4, forward: mini-batch 5" in found.js("document.getElementById('said').textContent")


def test_keys_move_zoom_and_step(show, default) -> None:
    found = show(default)
    whole = found.view()
    found.js("document.getElementById('spans').focus()")
    found.keys("+", "+")
    near = found.view()
    assert near["to"] - near["from"] == pytest.approx(0.49 * (whole["to"] - whole["from"]))
    found.keys("\ue014")  # right
    moved = found.view()
    assert moved["from"] > near["from"]
    assert moved["to"] - moved["from"] == pytest.approx(near["to"] - near["from"])
    found.keys("\ue012", "-", "-")
    assert found.view()["to"] == pytest.approx(whole["to"])
    found.keys("+", "\ue011")  # Home
    assert found.view() == whole
    steps = []
    for key in ("n", "n", "n", "p", "j", "j", "k"):
        found.keys(key)
        steps.append(found.facts("#chosen")["heading"].split(" · ")[0])
    assert steps == ["0F0", "0F1", "0F2", "0F1", "1F0", "2F0", "1F1"]
    found.keys("\ue007")  # Enter
    assert found.view()["minibatch"] == 2
    found.keys("z")
    trip = default.minibatch == 2
    assert found.view()["from"] <= default.start_s[trip].min()
    assert default.end_s[trip].max() <= found.view()["to"] < 20
    found.keys("\ue00c")  # Escape
    assert found.view()["minibatch"] is None
    assert found.js("document.getElementById('trip').hidden")
    assert found.js("document.getElementById('chosen').hidden")


def test_stepping_reaches_every_span_of_a_row(show) -> None:
    trace = simulated({"minibatches": 6}, training=False)
    found = show(trace)
    found.js("document.getElementById('spans').focus()")
    seen = []
    for _ in range(int((trace.device == 0).sum())):
        found.keys("n")
        seen.append(found.facts("#chosen")["heading"].split(" · ")[0])
    assert seen == [str(trace.instruction(r)) for r in np.flatnonzero(trace.device == 0)]


def test_the_wheel_zooms_about_the_pointer_and_a_drag_moves(show, default) -> None:
    found = show(default)
    row = row_of(default, "1B29")
    x, y = found.middle(row)
    whole = found.view()
    found.mouse("mouseWheel", x, y, deltaX=0, deltaY=-200)
    found.settle()
    near = found.view()
    assert near["to"] - near["from"] < 0.7 * (whole["to"] - whole["from"])
    assert found.middle(row)[0] == pytest.approx(x, abs=1)
    found.mouse("mousePressed", x, y, button="left", clickCount=1)
    found.mouse("mouseMoved", x + 80, y, button="left", buttons=1)
    found.mouse("mouseReleased", x + 80, y, button="left", clickCount=1)
    found.settle()
    assert found.middle(row)[0] == pytest.approx(x + 80, abs=1)
    assert found.view()["minibatch"] is None, "a drag is no click"


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
    assert found.hover(row, 1)["heading"] == "20F5 · forward"


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
        assert found.hover(row)["heading"].startswith(f"{folded.instruction(row)} ")


def test_pixels_are_the_mean_of_what_lies_under_them(show) -> None:
    """Against the share of forwards and backwards in each pixel's time, in linear light."""
    trace = simulated({"minibatches": 2000}, training=False)
    found = show(trace)
    view, (_, y) = found.view(), found.middle(row_of(trace, "1F9"))
    first, last = (found.js("window.pipestale.place(0, arguments[0]).x", r)
                   for r in (row_of(trace, "0F0"), row_of(trace, "0U1999")))
    mine = (trace.device == 1) & (trace.op != Op.U)
    for x in (400, 555, 700):
        def time(at: float) -> float:
            share = (at - first) / (last + 1 - first)
            return float(share * (trace.end_s.max() - trace.start_s.min()))
        left, right = time(x), time(x + 1)
        over = np.clip(np.minimum(trace.end_s, right) - np.maximum(trace.start_s, left), 0, None)
        busy = [over[mine & (trace.op == op)].sum() for op in (Op.F, Op.B)]
        light = sum(b * linear(np.array(c)) for b, c in zip(busy, (SKY, ORANGE), strict=True))
        assert np.abs(gamma(light / sum(busy)) - pixel(found, x, y)).max() < 6
    assert view["from"] < 0
    assert not found.js("document.getElementById('mean').hidden")
    found.js("window.pipestale.look(0, 20)")
    found.settle()
    assert found.js("document.getElementById('mean').hidden")


def linear(colour: np.ndarray) -> np.ndarray:
    share = colour / 255
    return np.where(share <= 0.04045, share / 12.92, ((share + 0.055) / 1.055) ** 2.4)


def gamma(light: np.ndarray) -> np.ndarray:
    return 255 * (1.055 * light ** (1 / 2.4) - 0.055)


def test_colours_follow_the_choice_and_have_a_legend(show, default) -> None:
    found = show(default)

    def at(instruction: str) -> tuple[int, ...]:
        place = found.js("window.pipestale.place(0, arguments[0])", row_of(default, instruction))
        return pixel(found, place["x"] + place["width"] / 2, place["y"] + 3)

    def legend() -> str:
        return str(found.js("document.getElementById('legend').innerText"))

    assert (at("0F9"), at("0B9")) == (SKY, ORANGE)
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
    return sum(map(int, body[:3])) / 3, sum(pixel(found, 30, 700)) / 3


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
    assert found.hover(row_of(default, "1F3"))["heading"] == "1F3 · forward"
    tip = found.js("document.getElementById('tip').getBoundingClientRect().toJSON()")
    assert tip["left"] >= 0
    assert tip["right"] <= 700


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
