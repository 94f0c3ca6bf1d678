"""The explorer by keys, buttons, wheel and drag."""

import numpy as np
import pytest

from tests.figures.chromium import Page, missing
from tests.figures.traces import row_of, simulated

pytestmark = pytest.mark.skipif(missing() is not None, reason=str(missing()))


def text_of(found: Page) -> str:
    """The card's span as the program's text form writes it."""
    return str(found.js("document.querySelector('#card small').textContent"))


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
    assert found.facts("#card")["heading"] == "F5 · forward"
    assert found.facts("#card")["stage"] == "1"
    assert found.js("document.activeElement.closest('tr').className") == "chosen"
    assert "F5, forward: mini-batch 5" in found.js("document.getElementById('said').textContent")


def test_keys_move_zoom_and_step(show, default) -> None:
    found = show(default)
    whole = found.view()
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
        steps.append(text_of(found))
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
    assert found.js("document.getElementById('card').dataset.of") == "nothing"


def test_stepping_reaches_every_span_of_a_row(show) -> None:
    trace = simulated({"minibatches": 6}, training=False)
    found = show(trace)
    seen = []
    for _ in range(int((trace.device == 0).sum())):
        found.keys("n")
        seen.append(text_of(found))
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
