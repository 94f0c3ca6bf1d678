"""How deep in a pipeline a stage still fits its devices: by the order and mitigation that will run.

A stage with `depth` stages from it on, itself one, holds what the program of a pipeline makes it
hold: weight versions and copies, micro-batches in flight, and under recompute the one made again.
These are counted from the program itself (as `analysis.advice.footprint` does it), so every order
and mitigation there is has its own, none by a formula of its name.
"""

from __future__ import annotations

from functools import lru_cache

import numpy as np

from analysis.cuts.blocks import Blocks
from analysis.cuts.problem import Problem
from analysis.metrics.holding import held_by
from sim.arrays import Floats, Ints
from sim.errors import ConfigurationError
from sim.experiment.making import make_mitigation
from sim.experiment.setup import version_plan
from sim.order.shape import PipelineShape
from sim.schedules import SCHEDULES

DEFAULT_ORDER = {"throughput": "round-robin", "flush": "1f1b"}


def order_of(problem: Problem) -> str:
    """The schedule whose memory counts: the one asked for, else 1F1B, flushed or not."""
    return problem.schedule or DEFAULT_ORDER[problem.objective]


def held_by_stages(problem: Problem, stages: int) -> tuple[Ints, ...]:
    """What each stage of a straight pipeline holds at its worst moments, by stage: rows of weight
    sets beside the newest, micro-batches in flight, micro-batches made again, (moments, 3).

    Of moments only those that no other exceeds in all three.  Raises ConfigurationError where the
    order has no such pipeline, or the mitigation cannot run on it.
    """
    many = 2 if problem.objective == "flush" else 2 * stages + 2
    return _held(order_of(problem), problem.mitigation,
                 PipelineShape(stages, many, problem.microbatches))


@lru_cache(maxsize=512)
def _held(order: str, mitigation: str, shape: PipelineShape) -> tuple[Ints, ...]:
    try:
        program = SCHEDULES[order].program(shape)
        plan = version_plan(program, make_mitigation(mitigation), order)
    except ConfigurationError:
        raise
    except ValueError as error:
        raise ConfigurationError([f"{order} with {mitigation} on {shape.stages} stages: {error}"
                                  ]) from None
    found = []
    for copy in range(len(program.copies)):
        held = held_by(plan, copy)
        found.append(_worst(np.stack([held.versions - 1 + held.copies, held.flying,
                                      held.rerunning], axis=1)))
    return tuple(found)


def _worst(moments: Ints) -> Ints:
    """The moments that no other exceeds in all they hold, each once."""
    moments = np.unique(moments, axis=0)
    exceeded = [((moments >= each).all(axis=1) & (moments > each).any(axis=1)).any()
                for each in moments]
    found: Ints = moments[~np.array(exceeded, dtype=bool)]
    return found


def by_depth(problem: Problem, most: int) -> list[Ints] | None:
    """What a stage holds by its depth, 1 … `most` in order, as `held_by_stages` has it,
    (moments, 3) each; None where the order makes it depend on how many stages there are in all too.

    [choice] Taken from a pipeline of `most` stages, and found to depend on depth alone where
    pipelines of one stage less, and of half as many, say the same.
    """
    deepest = held_by_stages(problem, most)[::-1]
    for fewer in {most - 1, (most + 1) // 2} - {0}:
        each = held_by_stages(problem, fewer)[::-1]
        if any(not np.array_equal(a, b) for a, b in zip(each, deepest, strict=False)):
            return None
    return list(deepest)


def bytes_of(problem: Problem, blocks: Blocks, held: Ints, ways: int = 1) -> Floats:
    """Bytes of a device with a stage of the blocks from i to j − 1 at its worst moment, (n + 1,
    n + 1).

    The weights and `state_copies` as many again, and what it holds at moments `held`, (moments,
    3).  Of a flush `ways` devices share out each micro-batch, and what is kept of it.
    """
    weights = blocks.over(blocks.weight_bytes)
    full = blocks.over(blocks.activation_bytes)
    entry = np.broadcast_to(blocks.entry_bytes[:, None], full.shape)
    again = problem.backward == "recompute"
    kept, rerun = (entry, full) if again else (full, np.zeros_like(full))
    share = ways if problem.objective == "flush" else 1
    worst: Floats = np.max([sets * weights + (flying * kept + made * rerun) / share
                            for sets, flying, made in held.tolist()], axis=0)
    return (1 + problem.state_copies) * weights + blocks.workspace + worst


def deepest(problem: Problem, blocks: Blocks, held: list[Ints], ways: int) -> Ints:
    """The greatest depth at which a stage of the blocks from i to j − 1 on m devices fits,
    (ways + 1, n + 1, n + 1); 0 where it fits nowhere, `len(held)` where it does everywhere.

    A stage that does not fit at some depth is taken to fit at no greater one.
    """
    n = len(blocks)
    found = np.zeros((ways + 1, n + 1, n + 1), dtype=np.int64)
    shared = problem.objective == "flush"
    for many in range(1, ways + 1) if shared else (1,):
        fits = np.ones((n + 1, n + 1), dtype=bool)
        before = None
        for each in held:
            if before is None or not np.array_equal(each, before):
                fits = fits & (bytes_of(problem, blocks, each, many)
                               <= problem.memory_limit_bytes)
            before = each
            found[many] += fits
            if not fits.any():
                break
    if not shared:
        found[2:] = found[1]
    return found
