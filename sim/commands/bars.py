"""Progress on standard error of what may take more than a second; every door takes it from here.

Bars are seen on a terminal alone and are gone when the work is done.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from time import perf_counter
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from rich.progress import Progress

    from sim.experiment.options import Experiment

UPDATES_A_SECOND = 8000
SOON_S = 1.0  # what takes longer shows how far it is


@contextmanager
def updates(experiment: Experiment) -> Iterator[Any]:
    """A bar over the updates of a training that takes more than about a second.

    Yields what `train` calls as its `watch`; None where the training is short.
    """
    total = experiment.pipeline.stages * experiment.pipeline.minibatches
    if experiment.training.task == "none" or total < UPDATES_A_SECOND:
        yield None
        return
    with counted("training", total) as done:
        yield lambda stage, version, weights: done()


@contextmanager
def counted(label: str, total: int | None) -> Iterator[Callable[[], None]]:
    """A bar over `total` steps (None: nobody knows how many); yields what advances it by one."""
    with _progress() as progress:
        task = progress.add_task(label, total=total)
        yield lambda: progress.advance(task)


@contextmanager
def points(total: int) -> Iterator[Callable[[int, int], None]]:
    """A bar over the `total` points of a sweep, with failures, points a second and time left.

    Yields what takes the points done and those that failed.
    """
    from rich.progress import BarColumn, MofNCompleteColumn, TextColumn
    from rich.progress import TimeRemainingColumn as TimeLeft

    with _progress(BarColumn(), MofNCompleteColumn(), TextColumn("{task.fields[failed]} failed"),
                   TextColumn("{task.fields[rate]} points/s"), TimeLeft()) as bar:
        task = bar.add_task("sweep", total=total, failed=0, rate="–")

        def progress(done: int, failed: int) -> None:
            speed = bar.tasks[0].speed
            bar.update(task, completed=done, failed=failed, rate=f"{speed:.1f}" if speed else "–")

        yield progress


@contextmanager
def timed() -> Iterator[Callable[[int, int, float], None]]:
    """A bar that shows once a run takes more than a second.

    Yields what takes the steps done, of how many, after how many seconds.
    """
    with _progress() as shown:
        bar = shown.add_task("running", visible=False)
        yield lambda done, total, seconds: shown.update(
            bar, completed=done, total=total, visible=seconds > SOON_S)


@contextmanager
def counted_later(total: int) -> Iterator[Callable[[], None]]:
    """A bar over `total` steps that shows once they take more than a second; yields what
    advances it by one."""
    begun, count = perf_counter(), iter(range(1, total + 1))
    with timed() as watch:
        yield lambda: watch(next(count, total), total, perf_counter() - begun)


@contextmanager
def estimated(total: int, within_s: float | None = None, each: str = "run"
              ) -> Iterator[Callable[[], None]]:
    """A bar over `total` runs (or what `each` calls them) that may take a minute, seen at once.

    Yields what is called after each.  The first says how long all take, and then each corrects it;
    `within_s` are the seconds after which no more are begun (None: no limit).
    """
    from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeElapsedColumn

    begun, count = perf_counter(), iter(range(1, total + 1))
    limit = float("inf") if within_s is None else within_s
    with _progress(BarColumn(20), MofNCompleteColumn(), TimeElapsedColumn(),
                   TextColumn("{task.description}")) as shown:
        bar = shown.add_task(f"the first {each} says how long it takes", total=total)

        def done() -> None:
            number, gone = next(count, total), perf_counter() - begun
            left = min(gone / number * (total - number), max(0.0, limit - gone))
            shown.update(bar, completed=number, description=time_left(left, gone / number, each))

        yield done


def time_left(left_s: float, each_s: float, each: str = "run") -> str:
    """What a bar says of the seconds that are left, where a run (or `each`) takes `each_s`."""
    left = f"{left_s / 60:.0f} min" if left_s >= 90 else f"{left_s:.0f} s"
    return f"{each_s:.3g} s a {each}, about {left} left"


def busy(label: str) -> AbstractContextManager[Any]:
    """A context that shows a sign of life where nobody knows how far the work is."""
    from rich.console import Console

    return Console(stderr=True).status(label)


def _progress(*columns: Any) -> Progress:
    from rich.console import Console
    from rich.progress import Progress

    screen = Console(stderr=True)  # no thread that draws where nobody would see it
    return Progress(*columns, console=screen, transient=True, disable=not screen.is_terminal)
