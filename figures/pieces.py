"""A figure's data in independent pieces: made one by one or side by side, and checked singly."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

from joblib import Parallel, delayed, parallel_config

from analysis.sweep.work import end_with
from sim.rows import Rows

Done = Callable[[], None]


@dataclass(frozen=True)
class Piece:
    """A part of a figure's data that can be made alone.

    `key` identifies its rows and is written into each of them, `make` is the function that makes
    them from `arguments`.
    """

    key: dict[str, Any]
    make: Callable[..., Iterable[dict[str, Any]]]
    arguments: tuple[Any, ...] = field(default=())

    def rows(self) -> Rows:
        """Make the rows, the key in each."""
        return [{**self.key, **row} for row in self.make(*self.arguments)]


def collect(pieces: Sequence[Piece], done: Done = lambda: None, jobs: int = 1) -> Rows:
    """The rows of all pieces in their order, `jobs` processes at a time."""
    rows: Rows = []
    for some in _made(pieces, jobs):
        rows += some
        done()
    return rows


def _made(pieces: Sequence[Piece], jobs: int) -> Iterator[Rows]:
    if min(jobs, len(pieces)) < 2:
        return (piece.rows() for piece in pieces)
    work = (delayed(Piece.rows)(piece) for piece in pieces)
    return _side_by_side(work, jobs)


def _side_by_side(work: Iterable[Any], jobs: int) -> Iterator[Rows]:
    """What pieces of work give, in their order; its processes end with this one, however it does.

    Each computes on one thread.
    """
    with parallel_config(backend="loky", inner_max_num_threads=1, initializer=end_with,
                         initargs=(os.getpid(),)):
        yield from Parallel(n_jobs=jobs, return_as="generator")(work)
