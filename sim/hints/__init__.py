"""Hints: settings that are surely not meant, said beside the numbers they make.

Only what is sure is said: that a setting changes nothing, or that another one is better by a trial.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from typing import Any

from sim.experiment.options import Experiment
from sim.hints.cut import needless_warm_up, uncut, unfilled_round
from sim.hints.learning import diverging, late_evaluation, resting_rate
from sim.hints.order import few_microbatches, idle_mitigation, never_late, unsteady
from sim.hints.unused import (
    late_drifts,
    lone_worker,
    nothing_sent,
    other_tasks,
    profiled,
    unshared,
    whole_backwards,
    without_messages,
    without_recompute,
)

Hint = Callable[[Experiment, Mapping[str, Any]], Iterator[str]]
ALL: tuple[Hint, ...] = (few_microbatches, unsteady, idle_mitigation, never_late,
                         uncut, unfilled_round, needless_warm_up, diverging, late_evaluation,
                         resting_rate, nothing_sent, late_drifts, profiled, whole_backwards,
                         without_messages, without_recompute, lone_worker, unshared,
                         other_tasks)


def hints(experiment: Experiment, report: Mapping[str, Any]) -> list[str]:
    """What of an experiment is surely not meant, a line each: the setting, why, what to try.

    `report` is that of its run, as `analysis.report` makes it, or a part of it: what needs a number
    that is not there is not said.
    """
    return [line for hint in ALL for line in hint(experiment, report)]
