"""Progress bars of what may take more than a second, on standard error."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from sim.experiment.options import Experiment

UPDATES_A_SECOND = 8000


@contextmanager
def updates(experiment: Experiment) -> Iterator[Any]:
    """A bar over the updates of a training that takes more than about a second."""
    from rich.console import Console
    from rich.progress import Progress

    total = experiment.pipeline.stages * experiment.pipeline.minibatches
    if experiment.training.task == "none" or total < UPDATES_A_SECOND:
        yield None
        return
    with Progress(console=Console(stderr=True), transient=True) as progress:
        bar = progress.add_task("training", total=total)
        yield lambda stage, version, weights: progress.advance(bar)


@contextmanager
def counted(label: str, total: int) -> Iterator[Callable[[], None]]:
    """A bar; yields what advances it by one."""
    from rich.console import Console
    from rich.progress import Progress

    with Progress(console=Console(stderr=True), transient=True) as progress:
        task = progress.add_task(label, total=total)
        yield lambda: progress.advance(task)


@contextmanager
def points(total: int) -> Iterator[Callable[[int, int], None]]:
    """A bar of a sweep: points done, failures, points a second, time left."""
    from rich.console import Console
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn
    from rich.progress import TimeRemainingColumn as TimeLeft

    columns = (BarColumn(), MofNCompleteColumn(), TextColumn("{task.fields[failed]} failed"),
               TextColumn("{task.fields[rate]} points/s"), TimeLeft())
    with Progress(*columns, console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task("sweep", total=total, failed=0, rate="–")

        def progress(done: int, failed: int) -> None:
            speed = bar.tasks[0].speed
            bar.update(task, completed=done, failed=failed, rate=f"{speed:.1f}" if speed else "–")

        yield progress
