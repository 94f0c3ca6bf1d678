"""Bars that go by the clock, where work says nothing of how far it is until it is done.

How long it will take is found out on this machine: by trying a short run, or by how long it took to
read the trace that is worked on.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from threading import Timer
from time import perf_counter
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from rich.progress import Progress

    from sim.experiment.options import Experiment
    from sim.trace import Trace

SOON_S = 1.0  # what takes longer shows how far it is
SHORT = 40  # trials are so many times shorter than the run, of which they take a twentieth
# How many times as long as reading a trace takes what is made of it, as measured on traces of 10⁵
# and 10⁶ instructions; half and double were seen too
REPORT, DIFFERENCE = 3.0, 6.0
EXPORTS = {"csv": 18.0, "chrome": 110.0, "torch-csv": 40.0, "torch-csv-comms": 60.0,
           "parquet": 5.0}


@dataclass
class Clock:
    """How far work is: by steps where it tells them, else by the clock.

    `seconds` is how long it is expected to take from `begun` on (None: nobody knows), `steps` how
    many it has (None: it tells none) and `done` those that are done.
    """

    seconds: float | None
    steps: int | None = None
    done: int = 0
    begun: float = field(default_factory=perf_counter)

    @property
    def gone_s(self) -> float:
        """Seconds since it began."""
        return perf_counter() - self.begun

    def restart(self, seconds: float | None, steps: int | None = None) -> None:
        """The next part of the work begins."""
        self.seconds, self.steps, self.done, self.begun = seconds, steps, 0, perf_counter()

    def share(self, gone_s: float) -> float | None:
        """The share of the work that is done after `gone_s` seconds; None where nobody knows."""
        if self.steps is not None:
            return self.done / max(1, self.steps)
        return None if not self.seconds else min(0.99, gone_s / self.seconds)

    def left(self, gone_s: float) -> str:
        """How long it will still take after `gone_s` seconds, in words."""
        if self.steps is not None:
            return about(gone_s * (self.steps - self.done) / self.done) if self.done else ""
        if self.seconds is None:
            return ""
        return about(self.seconds - gone_s) if gone_s < self.seconds else "longer than expected"


def about(seconds: float) -> str:
    """Seconds that are left, as a bar says them: minutes from a minute and a half on."""
    if seconds >= 90:
        return f"about {seconds / 60:.0f} min left"
    return f"about {seconds:.0f} s left" if seconds >= 0.5 else "nearly done"


@contextmanager
def watched(label: str, clock: Clock) -> Iterator[Callable[[str], None]]:
    """A bar over work by its clock, seen on a terminal once more than a second has gone.

    Yields what takes another label.
    """
    progress = _bar(clock)
    if progress.disable:
        yield lambda label: None
        return
    task = progress.add_task(label, total=None, visible=False)
    soon = Timer(SOON_S, lambda: progress.update(task, visible=True))
    soon.daemon = True
    with progress:
        soon.start()
        try:
            yield lambda label: progress.update(task, description=label)
        finally:
            soon.cancel()


def expected(label: str, seconds: float | None
             ) -> AbstractContextManager[Callable[[str], None]]:
    """A bar over work that takes about `seconds` (None: nobody knows), as `watched` shows it."""
    return watched(label, Clock(seconds))


@contextmanager
def read_traces(label: str, paths: Sequence[str | Path], factor: float,
                read: Callable[[str | Path], Trace] | None = None) -> Iterator[list[Trace]]:
    """The traces in files, and a bar over reading them and over what is then made of them.

    That takes about `factor` times as long as reading them did.  `read` reads what is no trace's
    file of ours, too (None: none is).  Raises TraceError or InputError.
    """
    from sim.trace import Trace

    clock = Clock(None)
    with watched("reading", clock) as say:
        traces = [(read or Trace.load)(path) for path in paths]
        clock.restart(factor * clock.gone_s)
        say(label)
        yield traces


def tried_s(experiment: Experiment, rows: int, engine: str = "auto") -> float | None:
    """Seconds that the order and times of an experiment of `rows` instructions will take.

    From two short runs of it, of which the longer has a fortieth of its mini-batches, so that what
    does not grow with them is told apart.  None where it cannot be shortened.
    """
    from sim.errors import MistakeError
    from sim.experiment.run import run

    pipeline, workers = experiment.pipeline, experiment.workers.count
    whole = pipeline.minibatches // workers
    few, more = 1, whole // SHORT
    if more < 2 * few:
        return None
    took = []
    try:
        for count in (more, few, more):  # the first loads and compiles what is needed once
            short = experiment.changed({"pipeline": {"minibatches": count * workers}})
            begun = perf_counter()
            run(short, training=False, engine=engine, in_all=rows)
            took.append(perf_counter() - begun)
    except MistakeError:  # the run itself will say it
        return None
    each = max(0.0, took[2] - took[1]) / (more - few)
    return took[2] + each * (whole - more)


def _bar(clock: Clock) -> Progress:
    """What shows a clock: a label, a bar, the time that has gone and that is left."""
    from rich.progress import BarColumn, Progress, ProgressColumn, Task, TextColumn
    from rich.progress import TimeElapsedColumn as Gone
    from rich.progress_bar import ProgressBar
    from rich.text import Text

    class Far(BarColumn):
        def render(self, task: Task) -> ProgressBar:
            share = clock.share(clock.gone_s)
            return ProgressBar(total=None if share is None else 1.0, completed=share or 0.0,
                               width=20, pulse=share is None, animation_time=task.get_time())

    class Left(ProgressColumn):
        max_refresh = 0.5

        def render(self, task: Task) -> Text:
            return Text(clock.left(clock.gone_s))

    shown = screen()
    return Progress(TextColumn("{task.description}"), Far(), Gone(), Left(), console=shown,
                    transient=True, disable=not shown.is_terminal)


def screen() -> Any:
    """Where bars are shown: standard error."""
    from rich.console import Console

    return Console(stderr=True)
