"""Pairs, receives and sends, tied stages, exchanges beside computing: against explicit graphs.

Every engine gives the moments of `tests.oracles.waiting` to the last bit, or both find a deadlock.
"""

from __future__ import annotations

import itertools
from dataclasses import dataclass, replace
from graphlib import CycleError

import numpy as np
import pytest

from sim.errors import DeadlockError
from sim.kernels.pairs import installed
from sim.op import Op
from sim.order.program import Program
from sim.order.replicated import replicated
from sim.order.shape import PipelineShape
from sim.order.together import pair_of
from sim.schedules import SCHEDULES
from sim.times.cluster import Cluster, Link, Tied
from sim.times.costs import CostModel
from sim.times.engines import ENGINES, engine_of
from sim.times.replicas.blocks import Replica
from sim.times.replicas.replicate import replicate
from sim.workers.all_reduce import AllReduce
from sim.workers.later import put_off
from sim.workers.synchronisation import synchronised
from tests.oracles.waiting import Rules, times
from tests.sim.strategies import halved

ORDERS = ("1f1b", "gpipe", "interleaved", "nf1b", "round-robin", "sequential")
NAMES = [name for name in ENGINES if name != "auto" and (name != "exact-compiled" or installed())]
TICK = 2.0**-30
ENOUGH, ALL = range(60), range(60, 1500)


def ticks(seconds):
    return np.round(np.asarray(seconds) / TICK) * TICK


@dataclass
class Case:
    """A program with its costs and machine, drawn from a seed."""

    program: Program
    costs: CostModel
    cluster: Cluster
    exchange_s: np.ndarray | None

    @classmethod
    def of(cls, seed: int) -> Case:
        rng = np.random.default_rng(seed)
        name = ORDERS[rng.integers(len(ORDERS))]
        devices, chunks = int(rng.integers(1, 5)), int(rng.integers(1, 3))
        chunks = chunks if name == "interleaved" else 1
        many = devices * int(rng.integers(1, 3))
        shape = PipelineShape(devices * chunks, int(rng.integers(1, 5)),
                              1 if name in ("round-robin", "sequential") else many, chunks)
        own = SCHEDULES[name].program(shape)
        if rng.random() < 0.3:
            own = halved(own)
        ties = cls._ties(rng, shape.stages)
        beside, workers = bool(rng.random() < 0.5), int(rng.integers(1, 4))
        if rng.random() < 0.6:
            workers = 1
        held = set(range(shape.stages)) if beside and workers > 1 else {
            k for tie in ties for k in tie.stages}
        own = put_off(own, held)
        own = with_pairs(own, rng, rng.choice([0.0, 0.3, 1.0]))
        if workers == 1 and not len(own.pairs) and rng.random() < 0.7:
            own = own.lower()
            if rng.random() < 0.5:
                own = mixed(own, rng)
        whole = replicated(own, replace(shape, minibatches=shape.minibatches * workers,
                                        workers=workers))
        exchange = rng.integers(0, 9, shape.stages) / 4 if workers > 1 else None
        return cls(synchronised(whole, AllReduce()), cls._costs(rng, shape.stages),
                   cls._cluster(rng, shape.stages, ties, beside, exchange), exchange)

    @staticmethod
    def _ties(rng, stages):
        if stages < 2 or rng.random() < 0.6:
            return ()
        pairs = list(itertools.combinations(range(stages), 2))
        return tuple(Tied(pairs[rng.integers(len(pairs))], float(rng.integers(0, 5)) / 4)
                     for _ in range(rng.integers(1, 3)))

    @staticmethod
    def _costs(rng, stages):
        f, b, u = (rng.integers(1, 9, stages) / 4 for _ in range(3))
        pair = (f + b) * rng.choice([1.0, 0.75, 1.25, 1 / 3]) if rng.random() < 0.8 else None
        return CostModel(f, b, u * rng.integers(0, 2), 0 * f, overlapped_s=pair,
                         jitter_sigma=float(rng.choice([0.0, 0.0, 0.4])))

    @staticmethod
    def _cluster(rng, stages, ties, beside, exchange):
        link = Link(float(rng.choice([0.0, 0.3, 1.5])), float(rng.choice([np.inf, 100.0])))
        return Cluster(link, rng.integers(0, 3, stages - 1) * 25.0, np.zeros(stages),
                       sync_s=exchange, tied=ties, beside=beside,
                       receives=str(rng.choice(["posted", "holding", "in-order"])),
                       sends=str(rng.choice(["buffered", "buffered", "rendezvous"])))


def with_pairs(program: Program, rng, share: float) -> Program:
    """The program with some neighbours that can be one issued as one."""
    op, stage, index, count = program.rows
    pairs, taken = [], set()
    for row in range(len(program) - 1):
        two = {Op(op[row]), Op(op[row + 1])}
        one_of_each = Op.F in two and two & {Op.B, Op.I}
        apart = stage[row] != stage[row + 1] or max(index[row], index[row + 1]) >= min(
            index[row] + count[row], index[row + 1] + count[row + 1])
        if (one_of_each and apart and program.device[row] == program.device[row + 1]
                and row not in taken and rng.random() < share):
            pairs.append(pair_of(program.instruction(row), program.instruction(row + 1)))
            taken |= {row, row + 1}
    if not pairs:
        return program
    return Program.of(program.shape, program.rows, program.offsets, pairs=np.concatenate(pairs))


def mixed(program: Program, rng) -> Program:
    """A lowered program with some RECVs posted further ahead."""
    order = []
    for d in range(program.devices):
        rows = list(range(*program.offsets[d:d + 2]))
        for row in list(rows):
            if program.rows.op[row] in (Op.RECV_F, Op.RECV_B) and rng.random() < 0.5:
                at = rows.index(row)
                rows.insert(max(0, at - int(rng.integers(0, 4))), rows.pop(at))
        order += rows
    return program.reordered(np.array(order))


def of_the_oracle(case: Case, seconds: np.ndarray):
    """Start and end by row from the explicit graph, of a program whose rows take `seconds`."""
    program, costs, cluster = case.program, case.costs, case.cluster
    own = {program.instruction(row): float(seconds[row]) for row in range(len(program))}
    alone = {Op.F: costs.forward_s, Op.B: costs.backward_s}
    pairs = frozenset()
    if costs.overlapped_s is not None and len(program.pairs):
        rows = [[int(program.row_of(Op(o))[k, i]) for o, k, i in pair] for pair in program.pairs]
        pairs = frozenset(tuple(map(program.instruction, each)) for each in rows)

    def table(unit):
        forward, other = sorted(unit, key=lambda each: each.op)
        return float(alone[Op.F][forward.stage] + alone[Op.B][other.stage]), forward

    pairs = frozenset(unit for unit in pairs
                      if ticks(costs.overlapped_s[table(unit)[1].stage]) != table(unit)[0])

    def of_unit(unit):
        together = sum(own[each] for each in unit)
        if len(unit) == 1:
            return together
        apart, forward = table(unit)
        return float(ticks(costs.overlapped_s[forward.stage] * (together / apart)))

    def transfer(each):
        boundary = each.stage - (each.op in (Op.B, Op.I, Op.SEND_B))
        size = cluster.boundary_bytes[boundary] * each.count
        return float(ticks(size / cluster.link.bandwidth_bytes_per_s))

    late = None if case.exchange_s is None else lambda stage: float(case.exchange_s[stage])
    rules = Rules(of_unit, transfer, lambda _: float(ticks(cluster.link.latency_s)),
                  cluster.receives, cluster.sends, pairs,
                  tuple((tie.stages, tie.seconds) for tie in cluster.tied), late, cluster.beside)
    found = times(program, rules)
    return np.array([found[program.instruction(row)] for row in range(len(program))]).T


def check(seed: int) -> None:
    case = Case.of(seed)
    given = case.program, case.costs, case.cluster
    try:
        expected = of_the_oracle(case, case.costs.durations(case.program,
                                                            np.random.default_rng(seed)))
    except CycleError:
        for name in NAMES:
            with pytest.raises(DeadlockError, match="waits for"):
                engine_of(name, "static")(*given, np.random.default_rng(seed))
        return
    found = {name: engine_of(name, "static")(*given, np.random.default_rng(seed))
             for name in NAMES}
    for name, each in found.items():
        assert np.array_equal([each.start_s, each.end_s], expected), name
        for column in ("sent_s", "arrived_s"):
            assert np.array_equal(getattr(each, column), getattr(found["simpy"], column),
                                  equal_nan=True), (name, column)
    several = replicate(case.program, [Replica(case.costs, case.cluster, np.random.default_rng(s))
                                       for s in (seed, seed + 1)], columns=True)
    assert np.array_equal([several.start_s[0], several.end_s[0]], expected)


@pytest.mark.parametrize("seed", ENOUGH)
def test_every_engine_gives_the_longest_paths(seed):
    check(seed)


@pytest.mark.verify
def test_every_engine_gives_the_longest_paths_of_many_more():
    for seed in ALL:
        check(seed)
