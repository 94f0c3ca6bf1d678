"""Workers for a sweep: processes of this machine, or a running Dask cluster, by the same code."""

from __future__ import annotations

import os
from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass
from typing import Any

from joblib import Parallel, delayed, parallel_config
from joblib.externals.loky.process_executor import TerminatedWorkerError

from analysis.sweep.journal import Record
from analysis.sweep.points import Point
from analysis.sweep.work import end_with, failed, work
from sim.configuration import ConfigurationError

LIVES = 3  # pools in a row that may break without a single point done
CONNECT_S = 10


@dataclass(frozen=True)
class Workers:
    """How to start workers (options of a `Parallel` inside), and what is raised if one dies."""

    start: Callable[[], AbstractContextManager[dict[str, Any]]]
    died: type[Exception]


def evaluated(missing: Callable[[], Sequence[Point]], workers: Workers
              ) -> Generator[Record, None, None]:
    """Records as they come, until no point is `missing()`.

    Where a worker dies what it had is done again; a point that brings down even a worker of its
    own is recorded as failed.
    """
    lives = LIVES
    while lives and (points := missing()):
        try:
            with workers.start() as options:
                for record in _through(points, options):
                    lives = LIVES
                    yield record
        except workers.died:
            lives -= 1
    for point in missing():
        yield _alone(point, workers)


def _through(points: Sequence[Point], options: dict[str, Any]) -> Iterator[Record]:
    parallel = Parallel(return_as="generator_unordered", **options)
    yield from parallel(delayed(work)(point) for point in points)


def _alone(point: Point, workers: Workers) -> Record:
    try:
        with workers.start() as options:
            return next(_through([point], {**options, "n_jobs": 2}))
    except workers.died as error:
        return failed(point, error)


def processes(count: int | None) -> Workers:
    """Processes of this machine, as many as it has cores; each computes on one thread."""
    @contextmanager
    def local() -> Iterator[dict[str, Any]]:
        with parallel_config(backend="loky", inner_max_num_threads=1, initializer=end_with,
                             initargs=(os.getpid(),)):
            yield {"n_jobs": count or -1}

    return Workers(local, TerminatedWorkerError)


def cluster(address: str) -> Workers:
    """The workers of a running Dask scheduler, which have this package installed.

    Raises ConfigurationError where `distributed` is not installed, or later where no scheduler
    answers.
    """
    try:
        from distributed import Client, KilledWorker
    except ImportError:
        raise ConfigurationError(["--dask: distributed is not installed; pip install "
                                  "'pipestale[cluster]'"]) from None

    @contextmanager
    def remote() -> Iterator[dict[str, Any]]:
        try:
            client: Any = Client(address, timeout=CONNECT_S)  # type: ignore[no-untyped-call]
        except (OSError, ValueError, TypeError) as error:
            raise ConfigurationError([f"--dask {address}: no scheduler answers there: {error}"]
                                     ) from None
        with client, parallel_config(backend="dask"):
            yield {"n_jobs": -1}

    return Workers(remote, KilledWorker)
