"""A headless Chromium for tests that look at a page, driven through selenium."""

import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

FLAGS = ("--headless", "--no-sandbox", "--disable-gpu", "--disable-background-networking",
         "--disable-component-update", "--disable-dev-shm-usage", "--mute-audio")
BROWSERS = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")


def missing() -> str | None:
    """What keeps the browser tests from running here; None where nothing does."""
    try:
        import selenium  # noqa: F401
    except ImportError:
        return "selenium is not installed (the dev extra has it)"
    if program() is None or shutil.which("chromedriver") is None:
        return "there is no chromium with chromedriver here (make browser, as root on Debian)"
    return None


def program() -> str | None:
    return next((path for name in BROWSERS if (path := shutil.which(name))), None)


@contextmanager
def chromium(width: int = 1400, height: int = 800) -> Iterator[Any]:
    """A browser whose window shows exactly this many pixels."""
    from selenium import webdriver
    from selenium.webdriver.chrome.service import Service

    options = webdriver.ChromeOptions()
    options.binary_location = program()
    for flag in FLAGS:
        options.add_argument(flag)
    options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
    driver = webdriver.Chrome(options=options, service=Service(shutil.which("chromedriver")))
    try:
        size(driver, width, height)
        yield driver
    finally:
        driver.quit()


def size(driver: Any, width: int, height: int) -> None:
    driver.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", {
        "width": width, "height": height, "deviceScaleFactor": 1, "mobile": False})


def scheme(driver: Any, name: str) -> None:
    """What the system is said to prefer: `light` or `dark`."""
    driver.execute_cdp_cmd("Emulation.setEmulatedMedia", {
        "features": [{"name": "prefers-color-scheme", "value": name}]})


class Page:
    """An explorer page in a browser: what it says, and input as a user gives it."""

    def __init__(self, driver: Any, path: Path, end: str = "") -> None:
        """`end` is what the address says after the file, such as `#minibatch=4`."""
        self.driver, self.path = driver, path
        driver.get(path.resolve().as_uri() + end)
        self.wait("document.documentElement.matches('[data-spans], [data-error]')")

    def js(self, expression: str, *arguments: Any) -> Any:
        return self.driver.execute_script(f"return {expression}", *arguments)

    def wait(self, expression: str, *arguments: Any) -> None:
        """Until an expression holds; selenium's TimeoutException where it never does."""
        from selenium.webdriver.support.ui import WebDriverWait

        WebDriverWait(self.driver, 20, 0.02).until(lambda _: self.js(expression, *arguments))

    def settle(self) -> None:
        """Until everything asked for has been drawn."""
        self.driver.execute_async_script(
            "const done = arguments[0];"
            "requestAnimationFrame(() => requestAnimationFrame(() => done()))")

    def data(self, name: str) -> str:
        return str(self.js(f"document.documentElement.dataset.{name}"))

    def middle(self, row: int, trace: int = 0) -> tuple[float, float]:
        place = self.js("window.pipestale.place(arguments[0], arguments[1])", trace, row)
        return place["x"] + place["width"] / 2, place["y"] + place["height"] / 2

    def mouse(self, kind: str, x: float, y: float, **more: Any) -> None:
        self.driver.execute_cdp_cmd("Input.dispatchMouseEvent",
                                    {"type": kind, "x": x, "y": y, **more})

    def hover(self, row: int, trace: int = 0) -> dict[str, str]:
        """The facts the card shows once the mouse is over a row, by the column's name."""
        self.mouse("mouseMoved", *self.middle(row, trace))
        self.settle()
        return self.facts("#card[data-of=hovered]")

    def facts(self, where: str) -> dict[str, str]:
        pairs = self.js("[...document.querySelectorAll(arguments[0] + ' dd')]"
                        ".map((dd) => [dd.dataset.field, dd.textContent])", where)
        heading = self.js("document.querySelector(arguments[0] + ' strong')?.textContent", where)
        return {"heading": heading, **dict(pairs)}

    def click(self, row: int, trace: int = 0) -> None:
        self.press(*self.middle(row, trace))

    def press(self, x: float, y: float) -> None:
        self.mouse("mouseMoved", x, y)
        for kind in ("mousePressed", "mouseReleased"):
            self.mouse(kind, x, y, button="left", clickCount=1)
        self.settle()

    def keys(self, *keys: str) -> None:
        """Keys to whatever has the focus."""
        from selenium.webdriver.common.action_chains import ActionChains

        ActionChains(self.driver).send_keys(*keys).perform()
        self.settle()

    def table(self, number: int = 0) -> list[list[str]]:
        """The cells of a trace's round trip."""
        return list(self.js(
            "[...document.querySelectorAll('#trip table')[arguments[0]].tBodies[0].rows]"
            ".map((tr) => [...tr.cells].map((td) => td.textContent))", number))

    def view(self) -> dict[str, Any]:
        return dict(self.js("window.pipestale.view()"))

    def complaints(self) -> list[str]:
        """What the browser's console holds."""
        return [entry["message"] for entry in self.driver.get_log("browser")]
