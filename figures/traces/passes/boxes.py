"""The boxes of a timeline as rows: every pass, update and message end that lies in the window."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from analysis.metrics.timeline import has_time_units
from figures.traces.passes.window import Window, number, ranges, usual_s, window
from figures.traces.wanted import Run, Wanted
from sim.arrays import Ints
from sim.errors import ConfigurationError
from sim.op import Op
from sim.order.time_units import version_unit
from sim.rows import Row, Rows
from sim.trace import Trace

MOST = 6_000  # boxes: beyond, a printed page is a grey slab and an SVG opens slowly
MOST_MARKED = 6  # mini-batches that accents tell apart


def boxes(runs: Sequence[Run], wanted: Wanted) -> Rows:
    """A row per box of each run in one window, run by run.

    Times are in seconds from the start of the run; `window_from_s`, `window_to_s` and `run_end_s`
    are the same in all rows of a run, as are the `devices` it is shown with.  `microbatch` is None
    where a pass covers its whole mini-batch, `version_time_unit` where SpecTrain's units are not
    defined, `weight_distance` where nothing was trained; `marked` says whether the mini-batch is
    one of those asked for.

    Raises ConfigurationError where a mini-batch, a stage or a time asked for is not there, where
    the colour asked for is not known, and where there are more boxes than can be drawn.
    """
    problems = [problem for run in runs for problem in _absent(run, wanted, len(runs) > 1)]
    if len(wanted.minibatches) > MOST_MARKED:
        problems.append(f"minibatch: at most {MOST_MARKED} can be told apart, got "
                        f"{len(wanted.minibatches)}")
    if problems:
        raise ConfigurationError(problems)
    between = window(runs, wanted)
    chosen = [_inside(run.trace, between, wanted.stages) for run in runs]
    _refuse_many(runs, chosen, between)
    rows = [row for run, inside in zip(runs, chosen, strict=True)
            for row in _rows(run, inside, between, wanted)]
    if wanted.colour == "distance" and all(row["weight_distance"] is None for row in rows):
        raise ConfigurationError(["colour: distance is known of runs that were trained with it "
                                  "(training.distances), got none"])
    return rows


def _absent(run: Run, wanted: Wanted, several: bool) -> list[str]:
    shape, of = run.trace.shape, f" in {run.name}" if several else ""
    problems = [f"minibatch: mini-batches{of} are 1 to {shape.minibatches}, got {each}"
                for each in wanted.minibatches if not 1 <= each <= shape.minibatches]
    problems += [f"stages: stages{of} are 0 to {shape.stages - 1}, got {each}"
                 for each in wanted.stages or () if not 0 <= each < shape.stages]
    return problems


def _inside(trace: Trace, between: Window, stages: tuple[int, ...] | None) -> Ints:
    """The rows of a trace that lie in a window, (boxes,); updates that take no time as well."""
    begin, stop = between
    update, last = trace.op == Op.U, trace.end_s > trace.start_s
    shown = (last & (trace.end_s > begin) & (trace.start_s < stop)
             | update & ~last & (trace.end_s >= begin) & (trace.start_s <= stop))
    if stages is not None:
        shown &= np.isin(trace.stage, stages)
    return np.flatnonzero(shown)


def _refuse_many(runs: Sequence[Run], chosen: Sequence[Ints], between: Window) -> None:
    problems = [f"from: {run.name} has nothing between {number(between[0])} and "
                f"{number(between[1])} s of its {number(float(run.trace.end_s.max()))}"
                for run, inside in zip(runs, chosen, strict=True) if not len(inside)]
    total = sum(map(len, chosen))
    if total > MOST:
        fits = (between[1] - between[0]) * MOST / total
        several = max(run.trace.shape.stages for run in runs) > 8
        problems.append(f"from: {total:,} boxes between {number(between[0])} and "
                        f"{number(between[1])} s, at most {MOST:,} are drawn; show about "
                        f"{number(float(f'{fits:.2g}'))} s of it"
                        + (", or some of its stages" if several else ""))
    if problems:
        raise ConfigurationError(problems)


def _rows(run: Run, inside: Ints, between: Window, wanted: Wanted) -> Rows:
    trace = run.trace
    paper, chunk = has_time_units(trace), chunks(trace)
    held = np.ones(len(trace), bool) if wanted.stages is None else np.isin(trace.stage,
                                                                           wanted.stages)
    same = {"window_from_s": between[0], "window_to_s": between[1],
            "run_end_s": float(trace.end_s.max()), "usual_s": usual_s(trace),
            "devices": f"[{ranges(np.unique(trace.device[held]).tolist())}]"}
    return [{"run": run.name, **_row(trace, row, paper, chunk), "marked": marked, **same}
            for row, marked in zip(inside.tolist(),
                                   np.isin(trace.minibatch[inside], wanted.minibatches).tolist(),
                                   strict=True)]


def _row(trace: Trace, row: int, paper: bool, chunk: NDArray[Any]) -> Row:
    op, stage, device = Op(int(trace.op[row])), int(trace.stage[row]), int(trace.device[row])
    shape, minibatch = trace.shape, trace.minibatch_of(row)
    whole = int(trace.count[row]) == shape.microbatches
    reads, version = op <= Op.W, int(trace.version_read[row])
    distance, late = float(trace.weight_distance[row]), float(trace.staleness[row])
    return {
        "worker": device // shape.worker_devices if shape.workers > 1 else None,
        "device": device, "stage": stage, "chunk": int(chunk[row]), "op": op.name,
        "minibatch": minibatch,
        "microbatch": None if whole else int(trace.index[row]) % shape.microbatches,
        "start_s": float(trace.start_s[row]), "end_s": float(trace.end_s[row]),
        "version_updates": version if reads else None,
        "version_time_unit": (version_unit(op, minibatch, stage, shape.stages, version)
                              if reads and paper else None),
        "staleness": late if reads and np.isfinite(late) else None,
        "weight_distance": distance if reads and np.isfinite(distance) else None}


def chunks(trace: Trace) -> Ints:
    """The place of each row's stage among those of its device, from 0, (rows,)."""
    pair = trace.device.astype(np.int64) * (int(trace.stage.max(initial=0)) + 1) + trace.stage
    pairs, inverse = np.unique(pair, return_inverse=True)
    device = pairs // (int(trace.stage.max(initial=0)) + 1)
    place = np.arange(len(pairs)) - np.searchsorted(device, device)
    return np.asarray(place[inverse])
