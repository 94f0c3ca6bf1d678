"""Running a course: its times from the first second to the last, and what had been seen by when."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from analysis.drifting.course import Course
from analysis.drifting.machine import CourseCluster, CourseCosts
from analysis.drifting.problem import DriftProblem
from sim.arrays import Floats
from sim.experiment.run import settle
from sim.experiment.setup import Timed, VirtualSetup


def set_up(problem: DriftProblem, course: Course, dispatch: str = "static") -> VirtualSetup:
    """The setup of a course, which may end before the run does: its program, its costs and links
    by leg, and how it is dispatched.

    Of devices that choose their order the limit on activations holds; legs in a fixed order are
    held to it when they are planned.  Raises ConfigurationError where the mitigation refuses a
    course whose order is not the experiment's own.
    """
    setup, experiment = problem.setup, problem.experiment
    parts = [problem.machine(leg.cut) for leg in course.legs]
    if dispatch != "static":
        experiment = experiment.changed({"pipeline.dispatch": dispatch})
        cluster = parts[0][1]
    else:
        cluster = CourseCluster.of(course, tuple(each for _, each in parts))
    pipeline = experiment.pipeline
    if len(course.legs) > 1 or course.legs[0].order.name != pipeline.schedule:
        free = {"pipeline.in_flight": None, "pipeline.warmup": None, "pipeline.round_size": None}
        experiment = experiment.changed({"pipeline.schedule": "file"}, {
            key: value for key, value in free.items()
            if getattr(pipeline, key.partition(".")[2]) is not None})
    if course.minibatches != pipeline.minibatches:
        experiment = experiment.changed({"pipeline.minibatches": course.minibatches})
    costs = CourseCosts.of(course, tuple(each for each, _ in parts), setup.shape.total)
    return replace(setup, experiment=experiment, program=course.program(experiment.shape),
                   costs=costs, cluster=cluster)


def timed(problem: DriftProblem, course: Course, dispatch: str = "static") -> Timed:
    """A course with its times, and the versions that its passes read.

    Raises ConfigurationError or DeadlockError.
    """
    return settle(set_up(problem, course, dispatch))


def pace(problem: DriftProblem, course: Course, believed: Floats) -> Floats:
    """How many times as long as planned each stage is now believed to take, (stages,), at the
    moment at which the first device would go on to the mini-batches after those of `course`.

    Only what has ended by then counts, and of that the last `every` mini-batches of each stage:
    [choice] all its seconds over all those that were planned.  Where that is nearer to what was
    `believed` before, (stages,), than `doubt` standard errors (of the mean of its passes' own
    ratios), that is believed on; so it is of a stage of which nothing has ended.
    """
    done = course.minibatches
    found = timed(problem, course.going_on(min(
        problem.experiment.pipeline.minibatches - done, problem.experiment.pipeline.stages + 1)))
    timeline, program = found.timeline, found.timeline.program
    minibatch, stage = program.rows.index // program.shape.microbatches, program.rows.stage
    now = timeline.start_s[minibatch >= done].min()
    ended = (timeline.end_s <= now) & (minibatch < done)
    costs = found.setup.costs
    assert isinstance(costs, CourseCosts)
    planned, took = costs.nominal_s(program), timeline.end_s - timeline.start_s
    factors = believed.copy()
    for k in range(program.shape.stages):
        mine = np.flatnonzero(ended & (stage == k) & (planned > 0))
        if len(mine):
            late = mine[minibatch[mine] > minibatch[mine].max() - problem.every]
            seen = float(took[late].sum() / planned[late].sum())
            error = np.std(took[late] / planned[late]) / max(1, len(late) - 1)**0.5
            if abs(seen - believed[k]) >= problem.doubt * error:
                factors[k] = seen
    return factors
