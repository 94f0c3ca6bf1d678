"""How much two operations slow each other down, told apart from passes that overlap in many ways.

A device's instructions are timed while its neighbours execute their own streams.  While an
instruction runs next to a neighbour's operation its work goes on at a rate of its own for that pair
of operations, and at rate 1 while no neighbour is busy.  The work is known from passes alone, the
seconds of overlap are measured, so the rates are the solution of a linear least-squares problem.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import replace

import numpy as np
from scipy.optimize import least_squares

from gpu.profiling.solo import Done
from gpu.profiling.stage_times import Kind, StageTimes, covered
from sim.arrays import Floats
from sim.times.profile import Beside

SLOWEST, FASTEST = 0.05, 1.25  # bounds of a rate; above 1 is noise, or a busy machine that wakes up
MARGIN = 1e-6  # a start must lie strictly within bounds
NOISE = 0.02  # of a pass: what is further off than this is held up by something else
PULL = 0.03  # [choice] weight of the mean rate, so that a pair hardly seen is not made up of noise


def factors(times: StageTimes, placement: Sequence[str]) -> tuple[Beside, ...]:
    """How many times as long each operation takes beside each of its neighbours' on its hardware.

    `placement` names the hardware of each stage; pairs that never ran side by side are not listed.
    """
    samples: dict[Kind, list[tuple[float, dict[Kind, float]]]] = defaultdict(list)
    for own, others in times.beside:
        near = [done for done in others if placement[done.stage] in {placement[o.stage]
                                                                     for o in own}]
        for done, seconds in zip(own, overlaps(own, near), strict=True):
            samples[done.stage, done.op].append((done.seconds / covered(done), {
                kind: part / covered(done) for kind, part in seconds.items()
                if placement[kind[0]] == placement[done.stage]}))
    found = []
    for (stage, op), each in sorted(samples.items()):
        work = float(np.median(times.alone[stage, op]))
        for (other, other_op), rate in sorted(rates(work, each).items()):
            found.append(Beside(stage=stage, op=op.name, beside_stage=other,
                                beside_op=other_op.name, factor=1 / rate))
    return tuple(found)


def overlaps(own: Sequence[Done], others: Sequence[Done]) -> list[dict[Kind, float]]:
    """Of each of a device's instructions, seconds next to each kind of the others' instructions.

    Where several others run at once each counts for its share of the time [choice].
    """
    if not others:
        return [{} for _ in own]
    start, end = (np.array([getattr(done, side) for done in others])
                  for side in ("start_s", "end_s"))
    found = []
    for done in own:
        rows = np.flatnonzero((start < done.end_s) & (end > done.start_s))
        seconds: dict[Kind, float] = defaultdict(float)
        for row, part in zip(rows.tolist(), _shares(done, start[rows], end[rows]), strict=True):
            seconds[others[row].stage, others[row].op] += part
        found.append(dict(seconds))
    return found


def _shares(done: Done, start: Floats, end: Floats) -> list[float]:
    """Seconds of each interval within the instruction, shared where several are open at once."""
    start, end = np.maximum(start, done.start_s), np.minimum(end, done.end_s)
    cuts = np.unique(np.concatenate((start, end)))
    middles = (cuts[:-1] + cuts[1:]) / 2
    open_ = (start[:, None] <= middles) & (middles < end[:, None])
    return list((open_ * np.diff(cuts) / np.maximum(open_.sum(axis=0), 1)).sum(axis=1))


def rates(work: float, samples: Sequence[tuple[float, Mapping[Kind, float]]]) -> dict[Kind, float]:
    """Rates next to each kind, from samples of (seconds taken, seconds next to each kind).

    `work` is how many seconds it takes alone.  Source: bounded least squares with a pull towards
    the rate all kinds have in the middle, where passes that an operating system held up count for
    little (soft L1 loss).
    """
    kinds = sorted({kind for _, parts in samples for kind, part in parts.items() if part > 0})
    if not kinds or work <= 0:
        return {}
    taken = np.array([seconds for seconds, _ in samples])
    near = np.array([[parts.get(kind, 0.0) for kind in kinds] for _, parts in samples])
    left = work - (taken - near.sum(axis=1))
    met = near.sum(axis=1) > 0
    middle = float(np.clip(np.median(left[met] / near.sum(axis=1)[met]), SLOWEST, FASTEST))
    pull = PULL * np.sqrt(len(samples)) * np.eye(len(kinds))
    # by seconds taken, or a pass that was held up would weigh the more for it
    rows = np.vstack((near / taken[:, None], pull))
    wanted = np.concatenate((left / taken, middle * pull.sum(axis=1)))
    solved = least_squares(lambda rate: rows @ rate - wanted, np.full(len(kinds), middle),
                           jac=lambda rate: rows, bounds=(SLOWEST - MARGIN, FASTEST + MARGIN),
                           loss="soft_l1", f_scale=NOISE).x
    return dict(zip(kinds, solved.tolist(), strict=True))


def lock_share(times: StageTimes) -> float:
    """Which share of asking for work holds what threads of one interpreter take turns with, 0 to 1.

    From how much longer asking takes while neighbours ask too: with a share of 1 two of them are
    half as fast each.
    """
    found = []
    for own, others in times.beside:
        asked = [_asking(done) for done in own]
        for done, seconds in zip(asked, overlaps(asked, [_asking(o) for o in others]),
                                 strict=True):
            alone = times.issue[done.stage, done.op]
            if alone and done.seconds > 0:
                found.append((float(np.median(alone)) * covered(done), done.seconds,
                              sum(seconds.values())))
    near = sum(together for _, _, together in found)
    if not near:
        return 0.0
    rate = sum(work - (taken - together) for work, taken, together in found) / near
    return float(np.clip(1 / max(rate, SLOWEST) - 1, 0.0, 1.0))


def _asking(done: Done) -> Done:
    """An instruction as its host saw it: the time of asking in place of the device's."""
    return replace(done, start_s=done.asked_s, end_s=done.issued_s)

