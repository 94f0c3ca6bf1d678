"""A better order for the best pipelines that are never stale, searched for."""

from __future__ import annotations

from collections.abc import Callable, Sequence

from analysis.advice.footprint import in_bytes
from analysis.advice.planned.candidates import Candidate, Running
from analysis.advice.planned.machine import Machine
from analysis.advice.planned.orders import Known, of_program
from analysis.advice.planned.weighing import Weighed, row_of
from analysis.advice.question import Question
from analysis.ordering.bounds.makespan import lower_bound_s
from analysis.ordering.problem import OrderProblem
from analysis.ordering.search import search
from sim.errors import ConfigurationError
from sim.rows import Row

MOST = 3  # pipelines whose orders are searched for, which share the time
NAME = "searched"  # the schedule of an order that was found


def add_searched(found: Weighed, question: Question, size: int | None,
                 watch: Callable[[int, int], None]) -> str | None:
    """Search for orders of the fastest pipelines that are never stale, and add what has run.

    `size` are the samples of a micro-batch; `watch` takes how many searches are done, and of how
    many.  Gives why there is nothing to search for, else None.
    """
    chosen = _chosen(found)
    for number, each in enumerate(chosen):
        watch(number, len(chosen))
        row = _better(each, question, question.search_s / len(chosen), size)
        if row is not None:
            found.rows.append(row)
    return None if chosen else ("no pipeline of several devices that is never stale has one home a "
                                "stage")


def _chosen(found: Weighed) -> Sequence[Candidate]:
    """The fastest candidates that are never stale, of several devices and one home a stage, each
    of another arrangement."""
    fresh = [each for each in found.ran if each.running.machine.order.fresh
             and each.running.arrangement.depth > 1
             and not each.running.machine.program.several]
    alike: dict[str, Candidate] = {}
    for each in sorted(fresh, key=lambda each: -each.rate):
        alike.setdefault(each.running.arrangement.laid_out, each)
    return list(alike.values())[:MOST]


def _better(best: Candidate, question: Question, seconds: float, size: int | None) -> Row | None:
    """The row of the order that was found for a candidate's pipeline; None where none fits."""
    own = best.running
    experiment = own.machine.order.backwards(own.backward)
    try:
        problem = OrderProblem.of(experiment, limit_bytes=question.memory_limit_bytes,
                                  state_copies=question.state_copies,
                                  profile=own.arrangement.stages)
        met = search(problem, seconds=seconds, bound_s=lower_bound_s(problem))
        order = of_program(experiment, met.program)
    except ConfigurationError:
        return None
    known = order.under("none")
    if not isinstance(known, Known):
        return None
    machine = Machine.of(order, own.arrangement, own.backward)
    running = Running(own.arrangement, own.key._replace(schedule=NAME), own.backward, machine,
                      machine.least_period_s())
    held = in_bytes(known.holdings, own.arrangement.stages, own.backward, question.state_copies)
    row = row_of(Candidate(running, "none", known, held), size)
    if isinstance(row, str):
        return None
    return row | {"program": str(met.program), "searched": {
        "judged": met.judged, "start": met.start, "makespan_s": met.makespan_s,
        "named_s": met.named_s}}
