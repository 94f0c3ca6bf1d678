"""Every figure by name: data first, drawing second, files last."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

from figures import advice, bench, gantt, rates, stability, staleness
from figures.style import save
from sim.trace import atomic_file

Make = Callable[[Path, int, str], list[Path]]


def _timeline(out: Path, seeds: int, command: str) -> list[Path]:
    rows = gantt.data()
    return save(gantt.draw(rows), rows, out, "timeline", command)


def _staleness(out: Path, seeds: int, command: str) -> list[Path]:
    written = []
    for stages in (3, 8):
        with progress(f"training through {stages} stages", seeds * len(staleness.METHODS)) as done:
            rows = staleness.data(stages, range(seeds), done)
        written += save(staleness.draw(rows), rows, out, f"staleness-{stages}", command)
    return written


def _rates(out: Path, seeds: int, command: str) -> list[Path]:
    with progress("training at every rate", rates.runs(seeds)) as done:
        rows = rates.data(range(seeds), done)
    written = save(rates.draw(rows), rows, out, "rates", command)
    text = rates.markdown(rows, command)
    with atomic_file(out / "rates.md") as file:
        file.write(text.encode())
    return [*written, out / "rates.md"]


def _stability(out: Path, seeds: int, command: str) -> list[Path]:
    with progress("measuring edges", stability.runs()) as done:
        rows = stability.data(done)
    return save(stability.draw(rows), rows, out, "stability", command)


def _advice(out: Path, seeds: int, command: str) -> list[Path]:
    rows = advice.data()
    return save(advice.draw(rows), rows, out, "advice", command)


def _bench(out: Path, seeds: int, command: str) -> list[Path]:
    rows = bench.data()
    return save(bench.draw(rows), rows, out, "bench", command)


FIGURES: dict[str, Make] = {"timeline": _timeline, "staleness": _staleness, "rates": _rates,
                            "stability": _stability, "advice": _advice,
                            "bench": _bench}


def every() -> list[str]:
    """What `all` means: the bench's only where there is one."""
    return [name for name in FIGURES if name != "bench" or bench.SOURCE.exists()]


class progress:  # noqa: N801 - used as a function
    """A progress bar on standard error; yields what advances it by one."""

    def __init__(self, label: str, total: int) -> None:
        from rich.console import Console
        from rich.progress import Progress

        self.bar = Progress(console=Console(stderr=True), transient=True)
        self.label, self.total = label, total

    def __enter__(self) -> Callable[[], None]:
        self.bar.__enter__()
        task = self.bar.add_task(self.label, total=self.total)
        return lambda: self.bar.advance(task)

    def __exit__(self, *error: object) -> None:
        self.bar.__exit__(*error)  # type: ignore[arg-type]
