"""An order of a job shop's machines: its times, the memory it takes, and the program it means."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from analysis.ordering.bounds.shop import FORWARD, INPUT, UPDATE, WEIGHT, Shop
from analysis.ordering.bounds.spans import Spans
from analysis.ordering.problem import OrderProblem
from sim.op import Op
from sim.order.instruction import Instruction
from sim.order.program import Program

OPS = {FORWARD: Op.F, INPUT: Op.I, WEIGHT: Op.W, UPDATE: Op.U}


def makespan(shop: Shop, sequence: Sequence[int]) -> int | None:
    """Ticks until the last job has ended where every machine does its jobs in the order in which
    they are in `sequence`; None where one comes before what it waits for."""
    end = [-1] * len(shop.ticks)
    free = [0] * len(shop.machines)
    machine, length = shop.machine_of, shop.ticks.tolist()
    for job in sequence:
        start = free[machine[job]]
        for other, lag in shop.earlier[job]:
            if end[other] < 0:
                return None
            start = max(start, end[other] + lag)
        end[job] = free[machine[job]] = start + length[job]
    return max(end)


def fits(problem: OrderProblem, shop: Shop, sequence: Sequence[int]) -> bool:
    """Whether no device ever holds more than the limit where it does its passes in this order."""
    room = problem.room_bytes.tolist()
    held, halved, rerun = (each.tolist() for each in (
        problem.held_bytes, problem.halved_bytes, problem.rerun_bytes))
    for job in sequence:
        kind, stage, _ = shop.keys[job]
        device = int(problem.device[stage])
        if kind == FORWARD:
            room[device] -= held[stage]
        elif kind == INPUT and room[device] >= rerun[stage]:
            room[device] += held[stage] - halved[stage]
        elif kind == WEIGHT:
            room[device] += halved[stage]
        elif kind == INPUT:
            return False
        if room[device] < 0:
            return False
    return True


def program_of(problem: OrderProblem, shop: Shop, sequence: Sequence[int]) -> Program:
    """The program of passes and updates in this order; updates that take no time stand where the
    gradient is complete."""
    streams: list[list[Instruction]] = [[] for _ in range(problem.devices)]
    for job in sequence:
        kind, stage, micro = shop.keys[job]
        if kind in OPS:
            covers = problem.microbatches if kind == UPDATE else 1
            streams[int(problem.device[stage])].append(Instruction(stage, OPS[kind], micro, covers))
    return Program.from_streams(problem.experiment.shape, streams)


def by_spans(spans: Spans) -> list[int]:
    """The jobs by when they can start, of several at once the one with most to follow first."""
    found: list[int] = np.lexsort((-spans.tails, spans.heads)).tolist()
    return found
