"""The planner's answer: the best cut by formula, and every candidate as the simulator runs it."""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from itertools import accumulate, islice
from typing import Any

from analysis.cuts.plans import plans
from analysis.cuts.problem import Plan, Problem
from analysis.planning.judged import Judged, Order, judge, orders
from analysis.planning.question import Question
from sim.errors import ConfigurationError
from sim.rows import Row, plain

MOST, ENOUGH_S = 16, 1.5  # candidates that are simulated, and their seconds together
# As measured, seconds of an instruction: of a mini-batch alone, of an endless run, and of one in
# which replicas take turns, whose repetition is looked for in ever longer programs
ROW_S = {"flush": 3e-6, "endless": 3e-6, "hybrid": 5e-5}


@dataclass(frozen=True)
class Candidate:
    """A cut to simulate: the problem it is of, in which `ways` devices share a stage, and the
    orders to simulate it by."""

    ways: int
    problem: Problem
    plan: Plan
    orders: Sequence[Order]


def candidates(problems: Mapping[int, Problem], most: int | None
               ) -> tuple[list[Candidate], int]:
    """The cuts to simulate, at most so many (None: those of a few seconds), the best by its formula
    first; and how many are left out.

    `problems` are by how many devices share a stage.  Raises ConfigurationError where none of them
    has a cut.
    """
    found, refused = [], []
    for ways, problem in problems.items():
        try:
            found += [Candidate(ways, problem, plan, orders(problem, plan))
                      for plan in plans(problem)]
        except ConfigurationError as error:
            refused += error.problems
    if not found:
        raise ConfigurationError(list(dict.fromkeys(refused)))
    found.sort(key=lambda each: (each.plan.objective_s, each.ways, len(each.plan.stages)))
    most = most or affordable(found)
    return found[:most], max(0, len(found) - most)


def affordable(found: Sequence[Candidate]) -> int:
    """How many of the candidates, from the first on, take a few seconds to simulate together: at
    least 1, up to 16 [choice].  By instructions, so it is the same on every machine."""
    took = accumulate(sum(estimated_s(each, order) for order in each.orders)
                      for each in found)
    return max(1, sum(total <= ENOUGH_S for total in islice(took, MOST)))


def estimated_s(candidate: Candidate, order: Order) -> float:
    """About how many seconds the simulation of a candidate under an order takes a core."""
    stages, micro = len(candidate.plan.stages), candidate.problem.microbatches
    if candidate.problem.objective == "flush":
        return 3 * stages * micro * ROW_S["flush"]
    return (2 * stages + 6) * 3 * stages * micro * ROW_S.get(
        order.schedule, ROW_S["endless"])


def answer(question: Question, chosen: Sequence[Candidate], left_out: int = 0,
           done: Callable[[], None] = lambda: None) -> dict[str, Any]:
    """Every candidate simulated; `done` is called after each order of each.

    The stages and seconds at the top are those of the best cut by formula; `best` is the number,
    from 0, of the candidate that is quickest as simulated among those that fit (None: none does).
    """
    rows = [_row(each, [_judged(each, order, done) for order in each.orders])
            for each in chosen]
    problem = chosen[0].problem
    names = problem.layers.notes.get("layers")
    found: dict[str, Any] = {
        **{key: rows[0][key] for key in ("stages", "bottleneck_s", "objective_s", "ways")},
        "file": str(question.path), "objective": problem.objective, "devices": question.devices,
        "levels": [vars(level) for level in problem.levels],
        "microbatches": problem.microbatches, "mitigation": problem.mitigation,
        "backward": problem.backward, "state_copies": problem.state_copies,
        "transfers": problem.objective == "throughput" or problem.transfers,
        "memory_limit_bytes": question.memory_limit_bytes,
        "layers": len(problem.layers.stages),
        "names": names if isinstance(names, list) else None,
        "best": quickest(rows), "candidates": rows, "left_out": left_out}
    return dict(plain(found))


def _judged(each: Candidate, order: Order, done: Callable[[], None]) -> Judged:
    found = judge(each.problem, each.plan, order)
    done()
    return found


def _row(candidate: Candidate, judged: Sequence[Judged]) -> Row:
    """A candidate: its formula, every order of it as simulated, and the number of the best one;
    `devices` are all that it has, those that share a stage counted each."""
    plan, ways = candidate.plan, candidate.ways
    return {"stages": [stage.row for stage in plan.stages], "ways": ways,
            "devices": ways * plan.devices,
            "bottleneck_s": plan.bottleneck_s, "objective_s": plan.objective_s,
            "simulated": [each.row for each in judged], "order": quickest_order(judged)}


def quickest_order(judged: Sequence[Judged]) -> int | None:
    """The number of the order that is quickest among those that fit, else among those that run;
    None where none does."""
    runs = [number for number, each in enumerate(judged) if each.refused is None]
    return min(runs, key=lambda number: (not judged[number].fits, judged[number].seconds),
               default=None)


def quickest(rows: Sequence[Row]) -> int | None:
    """The number of the candidate that is quickest as simulated, of those that fit; of equals the
    one that is better by its formula.  None where none fits."""
    def seconds(row: Row) -> float:
        found = None if row["order"] is None else row["simulated"][row["order"]]
        return found["seconds"] if found is not None and found["fits"] else math.inf

    number = min(range(len(rows)), key=lambda each: seconds(rows[each]))
    return number if seconds(rows[number]) < math.inf else None


def partitioned(question: Question) -> dict[str, Any]:
    """The whole answer to a question.  Raises ConfigurationError or ProfileError."""
    return answer(question, *candidates(question.problems(), question.most))
