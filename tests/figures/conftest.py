"""The style of every picture, and explorer pages in a browser for the tests that ask for them."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from figures.drawing.style import styled
from figures.explorer.page import page
from sim.trace import Trace
from tests.figures.chromium import Page, chromium, scheme, size
from tests.figures.traces import simulated


@pytest.fixture(autouse=True)
def worn() -> Iterator[None]:
    """What a test draws and looks at is in the pictures' style, as behind a door."""
    with styled():
        yield


@pytest.fixture(scope="session")
def default() -> Trace:
    return simulated()


@pytest.fixture(scope="session")
def varied() -> Trace:
    """Jitter, messages, updates that take time, interpolated weights."""
    return simulated({"stages": 4, "dispatch": "greedy", "mitigation": "i-timeprest"},
                     costs={"jitter": {"sigma": 0.3}, "update_s": 0.1}, cluster={"latency_s": 0.2})


@pytest.fixture(scope="session")
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
