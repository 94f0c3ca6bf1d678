"""Workers for a sweep: processes of this machine, or a running Dask cluster."""

from __future__ import annotations

import itertools
import os
from asyncio import CancelledError
from collections.abc import Callable, Generator, Iterable, Iterator
from typing import Any

from joblib import Parallel, delayed, parallel_config
from joblib.externals.loky.process_executor import TerminatedWorkerError

from analysis.sweep.journal import Record
from analysis.sweep.points import Point
from analysis.sweep.work import died, end_with, failed, work
from sim.errors import ConfigurationError, missing_part
from sim.plugins import add_plugin, plugins

LIVES = 2  # pools in a row that may break without a single point done
ALONE = 2  # times a point that was left over is then tried in a pool of its own
DASK_TRIES = 4  # workers that Dask gives a task before it calls it a killer of them
CONNECT_S = 10
AHEAD = 4  # points sent to a thread of the cluster beyond the one it has

# From points by number and the numbers wanted to their records, as they come.  What a worker had
# that died is done again; a point that brings down every worker is recorded as one whose worker
# died, which the next start of the sweep tries again.
Workers = Callable[[Callable[[int], Point], Iterable[int]], Generator[Record, None, None]]


def processes(count: int | None) -> Workers:
    """Workers that are processes of this machine, `count` or as many as it has cores.

    Each computes on one thread.
    """
    def evaluate(point: Callable[[int], Point], numbers: Iterable[int]
                 ) -> Generator[Record, None, None]:
        left, lives = dict.fromkeys(numbers), LIVES
        while left and lives:
            try:
                for record in _parallel(map(point, list(left)), count or -1):
                    del left[record["point"]]
                    lives = LIVES
                    yield record
            except TerminatedWorkerError:
                lives -= 1
        for number in left:
            yield _alone(point(number))

    return evaluate


def _parallel(points: Iterable[Point], jobs: int) -> Iterator[Record]:
    with parallel_config(backend="loky", inner_max_num_threads=1, initializer=end_with,
                         initargs=(os.getpid(),)):
        yield from Parallel(jobs, return_as="generator_unordered")(
            delayed(work)(point) for point in points)


def _alone(point: Point) -> Record:
    for _ in range(ALONE):
        try:
            return next(_parallel([point], 2))  # one job would run in this very process
        except TerminatedWorkerError:
            continue
    return died(point, ALONE)


def cluster(address: str) -> Workers:
    """Workers of a running Dask scheduler, which have this package installed.

    Not by joblib's backend for Dask: it waits for ever for a task whose workers died (1.6). Raises
    MissingPartError where `distributed` is not installed, later ConfigurationError where no
    scheduler answers or the cluster is lost.
    """
    try:
        from distributed import Client
    except ImportError as error:
        raise missing_part(error) or error from None

    def evaluate(point: Callable[[int], Point], numbers: Iterable[int]
                 ) -> Generator[Record, None, None]:
        with _connected(Client, address) as client:
            threads = max(1, sum(client.nthreads().values()))
            suspects: list[Point] = []
            for each, record in _sent(client, map(point, numbers), (1 + AHEAD) * threads):
                if record is not None:
                    yield record
                else:
                    suspects.append(each)
            for each, record in _sent(client, suspects, 1):  # what it shared a worker with is safe
                yield record or died(each, DASK_TRIES)

    return evaluate


def _connected(client: Any, address: str) -> Any:
    try:
        return client(address, timeout=CONNECT_S)
    except (OSError, ValueError, TypeError) as error:
        raise ConfigurationError([f"--dask {address}: no scheduler answers there: {error}"]
                                 ) from None


def _sent(client: Any, points: Iterable[Point], most: int
          ) -> Iterator[tuple[Point, Record | None]]:
    """Points and their records, `most` at the cluster at a time; None where workers died.

    Dask blames a worker's death on all it had, so a None may be another point's fault.
    """
    from distributed import KilledWorker, as_completed

    waiting, running = iter(points), dict[Any, Point]()

    def send(count: int) -> list[Any]:
        futures = {client.submit(_with_plugins, plugins(), each, pure=False): each
                   for each in itertools.islice(waiting, count)}
        running.update(futures)
        return list(futures)

    done: Any = as_completed(send(most))  # type: ignore[no-untyped-call]
    for future in done:
        try:
            record = future.result()  # waits once more where the worker that had it is gone
        except KilledWorker:
            record = None
        except (Exception, CancelledError) as error:
            raise ConfigurationError([f"--dask: the cluster failed ({error!r}); the same command "
                                      "goes on from here"]) from None
        yield running.pop(future), record
        done.update(send(1))


def _with_plugins(files: list[str], point: Point) -> Record:
    """One point on a worker that was started by others, so does not have what `--plugin` gave."""
    try:
        for file in files:
            add_plugin(file)
    except ConfigurationError as error:
        return failed(point, error)
    return work(point)
