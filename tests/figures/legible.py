"""What a reader could trip over in a drawn figure, found from the texts really drawn."""

from collections.abc import Iterator
from itertools import combinations
from unittest import mock

from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.text import Text
from matplotlib.transforms import Bbox

from figures.drawing.look import TEXT_PT
from figures.drawing.style import COLUMN_IN, PAGE_IN, SMALLEST_PT

TALLEST_IN = 9.2
# quantities without a unit; every other number's axis says its unit in brackets
BARE = {"stage", "momentum", "largest stable ηλ", "final loss", "mini-batches",
        "validation accuracy", "validation accuracy at the end",
        "loss over the training set", "loss over the validation set",
        "loss over the training set at the end", "learning rate (logarithmic)", "learning rate",
        "epochs to the target", "nwpt's loss over the baseline's", "micro-batches",
        "steady rate over round-robin's", "loss over sequential's", "share of forwards",
        "over that without jitter",
        "RMSE to $W_{t+s}$", "update $t+s$", "samples per second", "accuracy", "epoch",
        "training loss", "validation loss", "training accuracy", "mini-batch",
        "seconds for the mini-batches of a run", "seconds in all", "loss of a mini-batch"}


def drawn(figure: Figure) -> list[tuple[Text, Bbox]]:
    """Every text put onto the canvas, with its box in pixels."""
    found: list[tuple[Text, Bbox]] = []
    plain = Text.draw

    def draw(self: Text, renderer: object, *more: object) -> None:
        plain(self, renderer, *more)
        if self.get_visible() and self.get_text().strip():
            found.append((self, self.get_window_extent(renderer)))

    canvas = FigureCanvasAgg(figure)
    with mock.patch.object(Text, "draw", draw):
        canvas.draw()
    last = {id(text): (text, box) for text, box in found}
    return list(last.values())


def complaints(figure: Figure, width_in: float | None = None) -> Iterator[str]:
    """What is wrong with the size, the texts and the axes of `figure`; it may have a width of its
    own."""
    texts = drawn(figure)
    width, height = figure.get_size_inches()
    if width not in (COLUMN_IN, PAGE_IN, width_in) or height > TALLEST_IN:
        yield f"does not fit a page: {width} x {height} in"
    canvas = figure.bbox
    for text, box in texts:
        if text.get_fontsize() < (SMALLEST_PT if width_in is None else TEXT_PT):
            yield f"too small: {text.get_text()!r} at {text.get_fontsize()} pt"
        if box.x0 < -1 or box.y0 < -1 or box.x1 > canvas.width + 1 or box.y1 > canvas.height + 1:
            yield f"clipped: {text.get_text()!r}"
    for (one, a), (other, b) in combinations(texts, 2):
        if min(a.x1, b.x1) - max(a.x0, b.x0) > 1 and min(a.y1, b.y1) - max(a.y0, b.y0) > 1:
            yield f"overlap: {one.get_text()!r} and {other.get_text()!r}"
    shown = {id(text) for text, _ in texts}
    for axis in figure.axes:
        yield from _without_unit(axis, shown)


def _without_unit(axes: Axes, shown: set[int]) -> Iterator[str]:
    if not axes.axison:
        return
    for axis in (axes.xaxis, axes.yaxis):
        ticks = [tick.get_text() for tick in axis.get_ticklabels() if id(tick) in shown]
        label = axis.get_label_text().replace("\n", " ")
        if any(_number(text) for text in ticks) and label not in BARE and "(" not in label:
            yield f"no unit on an axis: {label!r} with {ticks[:3]}"


def _number(text: str) -> bool:
    plain = text.replace("−", "-").replace("∞", "inf")
    if "mathdefault" in plain:
        return True
    try:
        float(plain)
    except ValueError:
        return False
    return True
