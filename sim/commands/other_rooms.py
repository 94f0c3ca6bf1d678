"""What the commands ask of other rooms, through the door: `sim` itself imports from none."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from pathlib import Path
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from sim.experiment.options import Experiment
    from sim.trace import Trace

Tables = Callable[[], Iterable[Any]]  # made where a screen is there to print them on
Rows = list[dict[str, Any]]


class OtherRooms(Protocol):
    """One method for each thing that is told of a simulation; `sim.__main__` has them."""

    def report(self, trace: Trace) -> tuple[dict[str, Any], Tables]:
        """Every metric of a trace."""

    def mitigations(self, experiment: Experiment, names: str, seeds: range) -> tuple[Rows, Tables]:
        """A row for each mitigation.  Raises ConfigurationError."""

    def systems(self, experiment: Experiment, names: str, seeds: range, target: float
                ) -> tuple[Rows, Tables]:
        """A row for each system; `target` is a validation accuracy.  Raises ConfigurationError."""

    def timeline(self, trace: Trace, minibatch: int | None, labels: str | None) -> TimelineView:
        """The pipeline, or one mini-batch of it.  Raises ConfigurationError."""

    def sweep(self, file: Path, out: Path, workers: int | None, dask: str | None
              ) -> tuple[Rows, list[tuple[str, int]]]:
        """A row for each point, and every error with how many points ended with it.

        Raises ConfigurationError.
        """


class TimelineView(Protocol):
    """A timeline for machines and for a screen."""

    def as_json(self) -> Rows:
        """The passes of the mini-batch asked for, else of the whole pipeline."""

    def grid(self, width: int, **columns: Any) -> tuple[list[Any], list[str]]:
        """Lines of `width` characters, and what is to be said below.

        Raises ConfigurationError.
        """

    def tables(self) -> list[Any]:
        """The round trip of the mini-batch asked for; none without one."""
