"""What the explorer knows beside its lanes, by what is on the screen: counters, the critical path,
divergence, the summary, several traces arranged."""

from dataclasses import replace
from pathlib import Path
from xml.etree import ElementTree

import matplotlib.pyplot as plt
import numpy as np
import pytest

from analysis.metrics.critical import critical_path
from analysis.metrics.memory import Held, memory
from analysis.metrics.report import report
from analysis.metrics.staleness import plan_of
from figures.drawing.colours import HELD, PASSES
from sim.experiment.configuration import resolve
from sim.experiment.run import run
from sim.header import StageBytes
from sim.trace import Trace
from tests.figures.chromium import Page, missing
from tests.figures.traces import row_of, simulated

pytestmark = pytest.mark.skipif(missing() is not None, reason=str(missing()))
BYTES = {"B": 1.0, "kB": 1e3, "MB": 1e6, "GB": 1e9}


def pixel(found: Page, x: float, y: float, canvas: str = "spans") -> str:
    """The colour of a point of the window, as `#RRGGBB`, on one of the picture's two canvases."""
    frame = found.js("document.getElementById('spans').getBoundingClientRect().toJSON()")
    rgb = found.js("[...document.getElementById(arguments[2]).getContext('2d')"
                   ".getImageData(arguments[0], arguments[1], 1, 1).data]",
                   x - frame["left"], y - frame["top"], canvas)
    return "#{:02X}{:02X}{:02X}".format(*rgb)


def track(found: Page, group: str, device: int, trace: int = 0) -> dict[str, float]:
    """Where a counter's track lies in the window."""
    return dict(found.js("window.pipestale.track(...arguments)", trace, group, device))


def at(held: Held, time: float) -> float:
    """What is held at a time: 0 where nothing ever is."""
    moment = np.searchsorted(held.time_s, time, side="right") - 1
    return float(held.value[moment]) if len(held.value) else 0.0


def along(found: Page, trace: Trace, time: float) -> float:
    """The pixel of the window at which a second of the first trace lies."""
    row = int(np.argmax(trace.end_s))
    place, first = (found.js("window.pipestale.place(0, arguments[0])", r)
                    for r in (row, row_of(trace, "0F0")))
    per_second = ((place["x"] + max(place["width"], 0) - first["x"])
                  / (trace.end_s[row] - trace.start_s[row_of(trace, "0F0")]))
    return float(first["x"] + per_second * (time - trace.start_s[row_of(trace, "0F0")]))


@pytest.mark.parametrize(("pipeline", "more"), [
    ({"mitigation": "stash"}, {}),
    ({"mitigation": "spectrain", "stages": 4}, {"costs": {"jitter": {"sigma": 0.3}}}),
    ({"schedule": "gpipe", "microbatches": 4, "minibatches": 6, "backward": "recompute"}, {})])
def test_counters_say_what_the_metrics_say(show, pipeline, more) -> None:
    trace = simulated({"minibatches": 12, **pipeline}, training=False, **more)
    held = memory(trace, plan_of(trace))
    found = show(trace)
    found.js("window.pipestale.unfold('versions', 'flight')")
    found.settle()
    kinds = {"weights": lambda s, t: s.weight_bytes, "stash": lambda s, t: at(s.stash_bytes, t),
             "copies": lambda s, t: at(s.copy_bytes, t),
             "activations": lambda s, t: at(s.activation_bytes, t)}
    peak = max(stage.total_bytes.peak for stage in held)
    for device, share in ((0, 0.31), (0, 0.77), (1, 0.05), (len(held) - 1, 0.52)):
        stage = held[device]
        said = counted(found, "memory", device, share)
        time = float(said["time_s"].split()[0])
        for name, of in kinds.items():
            number, unit = said[name].split()
            assert float(number) * BYTES[unit] == pytest.approx(
                of(stage, time), rel=1e-3, abs=1e-3 * peak), (device, time, name)
        versions = counted(found, "versions", device, share)["versions"]
        assert int(versions) == at(stage.versions, time)


def counted(found: Page, group: str, device: int, share: float) -> dict[str, str]:
    """What the card says once the mouse is at a share of a counter's track, scrolled to."""
    found.js("document.getElementById('chart').scrollTop += arguments[0]",
             track(found, group, device)["y"] - 500)
    found.settle()
    place = track(found, group, device)
    found.mouse("mouseMoved", round(place["x"] + share * place["width"]), place["y"] + 16)
    found.settle()
    return found.facts("#card")


def test_memory_is_drawn_by_kind_to_its_peak(show) -> None:
    """Of stage 0 under stashing: weights, above them stash, above them activations."""
    trace = simulated({"mitigation": "stash"}, training=False)
    stage = memory(trace, plan_of(trace))[0]
    found = show(trace)
    place = track(found, "memory", 0)
    x, height = place["x"] + place["width"] / 2, place["height"] - 2
    floor, scale = place["y"] + place["height"], height / stage.total_bytes.peak
    low = 0.0
    for kind, size_ in (("weights", stage.weight_bytes), ("stash", 2 * stage.weight_bytes),
                        ("activations", stage.activation_bytes.peak)):
        assert pixel(found, x, floor - (low + size_ / 2) * scale) == HELD[kind].upper()
        low += size_
    assert low == stage.total_bytes.peak


def test_counters_fold_by_a_click_on_their_head(show, default) -> None:
    found = show(default)
    head = track(found, "memory", -1)
    following = track(found, "versions", -1)["y"]
    assert found.js("window.pipestale.track(0, 'memory', 0)") is not None
    found.click(row_of(default, "1F3"))
    found.press(head["x"] + 20, head["y"] + 10)
    assert found.js("window.pipestale.track(0, 'memory', 0)") is None
    assert found.view()["minibatch"] == 4, "folding keeps what is selected"
    heads = {track(found, group, -1)["y"] for group in ("memory", "versions", "flight")}
    assert len(heads) == 1, "folded heads share a line"
    assert heads.pop() < following - 50
    assert "counters=none" in hash_of(found)


def hash_of(found: Page) -> str:
    found.wait("window.pipestale.addressed()")
    return str(found.js("location.hash"))


def test_the_summary_is_the_report(show) -> None:
    traces = [simulated({"mitigation": "stash"}),
              simulated({"stages": 2, "minibatches": 30, "dispatch": "greedy"},
                        costs={"jitter": {"sigma": 0.3}}, cluster={"latency_s": 0.2})]
    found = show(*traces)
    for column, trace in enumerate(traces):
        want = report(trace)
        said = dict(found.js(
            "[...document.querySelectorAll('#summary tbody tr')].map((tr) =>"
            " [tr.dataset.field, tr.cells[arguments[0] + 1].textContent])", column))
        assert float(said["makespan_s"]) == pytest.approx(want["makespan_s"], rel=1e-5)
        assert said["bubble"] == f"{100 * want['bubble_fraction']:.1f} %"
        assert said["comm_wait"] == f"{100 * want['comm_wait_fraction']:.1f} %"
        assert float(said["steady_rate"]) == pytest.approx(
            want["steady_throughput_minibatches_per_s"], rel=1e-3)
        peaks = want["memory"]["peak_device_bytes"]
        assert [float(n) for n in said["peak_bytes"].split(" to ")] == pytest.approx(
            [min(peaks) / 1e3, max(peaks) / 1e3], rel=1e-3)
        assert said["versions_held"].split(" to ")[-1] == str(max(want["versions_held"]))
        assert float(said["most_stale"]) == want["staleness"]["max"]
        assert said["critical"] == str(len(critical_path(trace).rows))


def test_the_critical_path_is_marked_along_its_spans(show, default) -> None:
    found = show(default)
    found.js("window.pipestale.look(-1, 14)")
    found.settle()
    on, off = "2B3", "0B3"
    assert {str(default.instruction(r)) for r in critical_path(default).rows} >= {on, "0F0"}

    def foot(name: str) -> str:
        place = found.js("window.pipestale.place(0, arguments[0])", row_of(default, name))
        return pixel(found, place["x"] + place["width"] / 2, place["y"] + place["height"] - 1,
                     "overlay")

    plain = foot(on), foot(off)
    found.keys("c")
    assert foot(on) == "#A3217A"
    assert foot(off) == plain[1]
    said = found.js("document.getElementById('summary').textContent")
    assert "The critical path is 96.8 % work of device 2" in said
    found.js("document.getElementById('path').click()")
    found.settle()
    assert (foot(on), foot(off)) == plain


def test_divergence_has_a_line_and_hatches_what_is_lost(show) -> None:
    trace = run(resolve({"pipeline": {"minibatches": 40},
                         "training": {"task": "quadratic", "learning_rate": 1e40}}))
    found = show(trace)
    number = trace.header.training.diverged_at
    moment = trace.end_s[row_of(trace, f"2F{number - 1}")]
    x, (_, y) = along(found, trace, moment), found.middle(row_of(trace, "0F0"))
    column = {pixel(found, round(x) + dx, y + dy, "overlay")
              for dx in (-1, 0, 1) for dy in range(-24, 24, 2)}
    assert "#B3001B" in column
    found.driver.execute_script(
        "window.written = []; const write = CanvasRenderingContext2D.prototype.fillText;"
        "CanvasRenderingContext2D.prototype.fillText = function (text, ...place) {"
        " window.written.push(text); write.call(this, text, ...place); };"
        "window.pipestale.look(0, 50)")
    found.settle()
    assert f"diverged in mini-batch {number}" in found.js("window.written")
    assert f"diverged in {number}" in found.js("document.getElementById('summary').textContent")
    assert "no longer numbers" in found.js("document.getElementById('summary').textContent")


def press_act(found: Page, act: str) -> None:
    found.js("document.querySelector(`[data-act=\"${arguments[0]}\"]`).click()", act)
    found.settle()


def heights(found: Page, *traces: Trace) -> list[float]:
    return [found.middle(row_of(trace, "0F3"), number)[1] for number, trace in enumerate(traces)]


def test_traces_are_moved_folded_hidden(show, default) -> None:
    other = simulated({"stages": 2, "minibatches": 20}, training=False)
    found = show(default, other)
    first, second = heights(found, default, other)
    assert first < second
    press_act(found, "0 ↓")
    first, second = heights(found, default, other)
    assert first > second
    assert "run.npz is now number 2 of 2" in found.js("document.getElementById('said').textContent")
    found.click(row_of(other, "0F3"), 1)
    found.keys("}")  # moves the chosen one down
    first, second = heights(found, default, other)
    assert first < second
    tall = found.js("window.pipestale.place(1, 0).height")
    press_act(found, "0 ▾")
    assert found.js("window.pipestale.place(1, 0).height") > tall, "the other takes the room"
    press_act(found, "0 ▸")
    assert found.js("window.pipestale.place(1, 0).height") == tall
    press_act(found, "1 Hide")
    assert found.view()["to"] > default.end_s.max()
    press_act(found, "0 Hide")
    assert "One trace has to stay" in found.js("document.getElementById('said').textContent")


def test_a_title_folds_its_trace(show, default) -> None:
    found = show(default, default)
    before = found.js("window.pipestale.place(0, 0).height")
    frame = found.js("document.getElementById('spans').getBoundingClientRect().toJSON()")
    found.press(frame["left"] + 40, frame["top"] + 48)
    assert found.js("window.pipestale.place(1, 0).height") > before
    assert "folded=0" in hash_of(found)


def test_times_can_be_shares_of_each_run_or_begin_when_steady(show, default) -> None:
    other = simulated({"stages": 2, "minibatches": 24}, training=False)
    found = show(default, other)

    def ends() -> list[float]:
        return [place["x"] + place["width"] for place in (
            found.js("window.pipestale.place(...arguments)", number, int(np.argmax(trace.end_s)))
            for number, trace in enumerate((default, other)))]

    def clock(name: str) -> None:
        found.js("(list => { list.value = arguments[0];"
                 " list.dispatchEvent(new Event('change')); })"
                 "(document.getElementById('clock'))", name)
        found.settle()

    assert ends()[0] > ends()[1] + 100
    clock("share")
    assert ends()[0] == pytest.approx(ends()[1], abs=1)
    clock("steady")
    starts = [found.js("window.pipestale.place(...arguments)", number, row_of(trace, name))["x"]
              for number, trace, name in ((0, default, "0F3"), (1, other, "0F2"))]
    assert starts[0] == pytest.approx(starts[1], abs=1)
    clock("seconds")
    assert ends()[0] > ends()[1] + 100


def test_the_address_leads_back_to_what_was_seen(show, driver, default) -> None:
    other = simulated({"stages": 2, "minibatches": 24}, training=False)
    found = show(default, other)
    plain = hash_of(found)
    assert plain == ""
    found.click(row_of(default, "1F3"))
    first = hash_of(found)
    press_act(found, "0 ↓")
    found.keys("c")
    found.js("window.pipestale.look(3, 14)")
    found.driver.execute_script(
        "document.getElementById('colour').value = 'staleness';"
        "document.getElementById('colour').dispatchEvent(new Event('change'))")
    last = hash_of(found)
    for part in ("colour=staleness", "minibatch=4", f"span=0:{row_of(default, '1F3')}",
                 "order=1,0", "path=1", "view=3,14"):
        assert part in last
    driver.get("about:blank")
    again = Page(driver, found.path, last)
    assert again.view() == {"from": 3, "to": 14, "minibatch": 4}
    assert again.js("document.getElementById('colour').value") == "staleness"
    assert again.facts("#card")["heading"] == "F4 · forward"
    assert heights(again, default)[0] > heights(again, default, other)[1]
    while again.js("location.hash") != first:
        again.driver.back()
        again.settle()
    again.wait("document.getElementById('colour').value === 'pass'")
    assert heights(again, default)[0] < heights(again, default, other)[1]


@pytest.mark.parametrize("end", [
    "#colour=mauve&minibatch=9999&span=7:1", "#view=a,b&span=0:-1&order=5,x&hidden=0", "#=%%%&&&",
    "#time=never&counters=x,<b>&measured=1"])
def test_an_address_that_says_nonsense_is_left_out(show, driver, default, end: str) -> None:
    found = show(default)
    driver.get("about:blank")
    again = Page(driver, found.path, end)
    assert again.complaints() == []
    assert int(again.data("spans")) == len(default)
    assert again.view()["minibatch"] is None
    assert again.view()["to"] > default.end_s.max()
    if "mauve" in end:
        assert "colour mauve" in again.js("document.getElementById('said').textContent")


def saved(driver, found: Page, folder: Path, kind: str) -> Path:
    """The file that a press of the button leaves in the folder of downloads."""
    from selenium.webdriver.support.ui import WebDriverWait

    driver.execute_cdp_cmd("Browser.setDownloadBehavior",
                           {"behavior": "allow", "downloadPath": str(folder)})
    found.js(f"document.getElementById('save-{kind}').click()")
    path = folder / f"run-timeline.{kind}"
    WebDriverWait(driver, 20, 0.02).until(lambda _: path.exists())
    return path


def test_what_is_seen_can_be_kept_as_svg_with_text_and_as_png(
        show, driver, tmp_path, default) -> None:
    found = show(default)
    found.js("window.pipestale.show(4)")
    found.settle()
    root = ElementTree.parse(saved(driver, found, tmp_path, "svg")).getroot()
    name = "{http://www.w3.org/2000/svg}"
    texts = [each.text for each in root.iter(f"{name}text")]
    for said in ("F4", "B4", "W6 · v3", "stage 2", "time (s)", "forward", "update"):
        assert said in texts
    fills = {each.get("fill") for each in root.iter(f"{name}rect")}
    assert {PASSES["F"].lower(), PASSES["B"].lower()} <= fills
    assert not list(root.iter(f"{name}image")), "near, all of it is vectors"
    wide, high = float(root.get("width")), float(root.get("height"))
    assert all(float(each.get("x")) <= wide and float(each.get("y")) <= high
               for each in root.iter(f"{name}text"))
    picture = plt.imread(saved(driver, found, tmp_path, "png"))
    assert picture.shape[:2] == (2 * high, 2 * wide)
    seen = {tuple(rgb) for rgb in np.rint(255 * picture[::7, ::7, :3]).astype(int).reshape(-1, 3)}
    assert {tuple(bytes.fromhex(PASSES[op][1:])) for op in "FB"} <= seen
    assert found.complaints() == []


def test_where_nothing_has_a_size_there_is_no_memory_to_show(show) -> None:
    trace = simulated({"minibatches": 6}, training=False)
    none = StageBytes([0.0] * 3, [0.0] * 3, [0.0] * 2)
    found = show(replace(trace, header=replace(trace.header, sizes=none)))
    assert found.js("window.pipestale.track(0, 'memory', -1)") is None
    assert found.js("window.pipestale.track(0, 'flight', 0)") is not None
    assert "memory" not in found.js("document.getElementById('summary').textContent")
