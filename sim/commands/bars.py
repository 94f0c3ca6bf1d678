"""Progress on standard error of what may take more than a second; every door takes it from here.

Bars are seen on a terminal alone and are gone when the work is done.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, contextmanager
from time import perf_counter
from typing import TYPE_CHECKING, Any

from sim.commands.clock import SOON_S, Clock, about, expected, screen, tried_s, watched

if TYPE_CHECKING:
    from rich.progress import Progress

    from sim.experiment.options import Experiment
    from sim.order.program import Program


@contextmanager
def running(experiment: Experiment, program: Program | None = None, engine: str = "auto", *,
            training: bool = True) -> Iterator[Any]:
    """A bar over a run that takes more than about a second: its set-up, then its updates.

    The set-up goes by the clock, by what short runs of it take; then updates are counted.  Yields
    what `train` calls as its `watch`; None where the run is short or trains nothing.
    """
    from sim.experiment.demands.estimate import learning_s, setting_up_s
    from sim.experiment.setup import rows_of

    rows = len(program) if program is not None else rows_of(experiment)
    then = learning_s(experiment, rows) if training else 0.0
    if setting_up_s(experiment, rows, engine) + then < SOON_S:
        yield None
        return
    clock = Clock(None)
    with watched(f"{rows:,} instructions", clock) as say:
        if program is None and screen().is_terminal:
            clock.restart(tried_s(experiment, rows, engine))
        total = experiment.pipeline.stages * experiment.pipeline.minibatches

        def done(stage: int, version: int, weights: Any) -> None:
            if clock.steps is None:
                clock.restart(None, total)
                say("training")
            clock.done += 1

        yield done if then else None


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
def weighing(label: str) -> Iterator[Callable[[int, int], None]]:
    """A bar over steps of which it is not known before how many there are, with the time left.

    Yields what takes how many are done, and of how many; where these are others than before, the
    work has come to its next part.
    """
    from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeRemainingColumn

    with _progress(TextColumn("{task.description}"), BarColumn(20), MofNCompleteColumn(),
                   TimeRemainingColumn()) as shown:
        bar = shown.add_task(label, total=None)

        def watch(done: int, total: int) -> None:
            if shown.tasks[0].total != total:
                shown.reset(bar, total=total)
            shown.update(bar, completed=done)

        yield watch


@contextmanager
def estimated(total: int, within_s: float | None = None) -> Iterator[Callable[[], None]]:
    """A bar over `total` runs of which each may take a minute, seen from the start.

    Yields what is called after each.  The first says how long all take, and then each corrects it;
    `within_s` are the seconds after which no more are begun (None: no limit).
    """
    from rich.progress import BarColumn, MofNCompleteColumn, ProgressColumn, Task, TimeElapsedColumn
    from rich.text import Text

    begun, count = perf_counter(), iter(range(1, total + 1))
    each_s: list[float] = []  # the mean so far

    class Left(ProgressColumn):
        max_refresh = 0.5

        def render(self, task: Task) -> Text:
            gone = perf_counter() - begun
            return Text(time_left(total, gone, each_s[-1], within_s) if each_s
                        else "the first says how long it takes")

    with _progress(BarColumn(20), MofNCompleteColumn(), TimeElapsedColumn(), Left()) as shown:
        bar = shown.add_task("runs", total=total)

        def done() -> None:
            number = next(count, total)
            each_s.append((perf_counter() - begun) / number)
            shown.update(bar, completed=number)

        yield done


def time_left(total: int, gone_s: float, each_s: float, within_s: float | None) -> str:
    """What a bar over `total` runs says after `gone_s` seconds, where a run takes `each_s`.

    No more are begun after `within_s` (None: no limit).
    """
    whole = each_s * total if within_s is None else min(each_s * total, within_s)
    left = max(0.0, whole - gone_s)
    return f"{each_s:.3g} s a run, {about(left)}"


@contextmanager
def named(total: int) -> Iterator[Callable[[int, str], None]]:
    """A bar over `total` steps that says which is under way.

    Yields what takes the number of steps done and the name of the next.
    """
    from rich.progress import BarColumn, MofNCompleteColumn, TextColumn, TimeElapsedColumn

    with _progress(BarColumn(20), MofNCompleteColumn(), TimeElapsedColumn(),
                   TextColumn("{task.description}")) as shown:
        bar = shown.add_task("", total=total)
        yield lambda done, name: shown.update(bar, completed=done, description=name)


def busy(label: str) -> AbstractContextManager[Any]:
    """A sign of life, and the time that has gone, where nobody knows how far the work is."""
    return expected(label, None)


def _progress(*columns: Any) -> Progress:
    from rich.progress import Progress

    shown = screen()  # no thread that draws where nobody would see it
    return Progress(*columns, console=shown, transient=True, disable=not shown.is_terminal)
