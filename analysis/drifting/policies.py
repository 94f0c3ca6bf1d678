"""What can be done about costs that drift: a policy each, from a problem to the run it makes."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np

from analysis.drifting.course import Course
from analysis.drifting.planning import Choice, Planner
from analysis.drifting.running import pace, timed
from sim.arrays import Floats
from sim.errors import ConfigurationError, unknown
from sim.experiment.setup import Timed

Next = Callable[[Choice, Floats, int], Choice]  # what is done, the pace seen, how much is left
Decide = Callable[[Planner], Next]


@dataclass(frozen=True)
class Policy:
    """A way to run while costs drift: its name and what it does, in a line.

    `decide` makes what chooses how to go on every so many mini-batches (None: nothing ever does);
    with `greedy` devices take whatever is ready.  One that moves layers needs to know them.
    """

    name: str
    rule: str
    decide: Decide | None = None
    greedy: bool = False
    moves: bool = False


POLICIES = {each.name: each for each in (
    Policy("static", "the order and the cut planned at the start, to the end"),
    Policy("greedy", "the same start; each device takes what is ready, backwards first",
           greedy=True),
    Policy("replan", "every n mini-batches the best order for the pace that was seen",
           lambda planner: planner.reordered),
    Policy("recut", "every n mini-batches the best cut for the pace that was seen; layers that "
           "move cost their bytes on the links", lambda planner: planner.recut, moves=True))}


@dataclass(frozen=True)
class PolicyRun:
    """A run under a policy: the course it took, and its times and versions."""

    policy: Policy
    course: Course
    timed: Timed

    @property
    def pieces(self) -> list[Course]:
        """The parts of the course in which layers stay where they are."""
        found: list[list[int]] = []
        for number, leg in enumerate(self.course.legs):
            if not number or leg.cut != self.course.legs[number - 1].cut:
                found.append([])
            found[-1].append(number)
        return [Course(tuple(self.course.legs[number] for number in piece)) for piece in found]


def policies(names: str | None) -> list[Policy]:
    """The policies of a list with commas; all where there is none.  Raises ConfigurationError."""
    asked = list(POLICIES) if names is None else [each.strip() for each in names.split(",")]
    wrong = [name for name in asked if name not in POLICIES]
    if wrong:
        raise ConfigurationError([f"--policies: {unknown('policy', name, list(POLICIES))}"
                                  for name in wrong])
    return [POLICIES[name] for name in dict.fromkeys(asked)]


def run_policy(planner: Planner, policy: Policy) -> PolicyRun:
    """Run the planner's problem under a policy, from the start that all of them share.

    Raises ConfigurationError where the policy cannot be followed.
    """
    problem = planner.problem
    if policy.moves and problem.why_uncut:
        raise ConfigurationError([problem.why_uncut])
    total, step, now = problem.experiment.pipeline.minibatches, problem.every, planner.start
    if policy.decide is None:
        course = Course((now.leg(0, total),))
        return PolicyRun(policy, course, timed(problem, course,
                                               "greedy" if policy.greedy else "static"))
    choose = policy.decide(planner)
    course = Course((now.leg(0, min(step, total)),))
    believed = np.ones(problem.experiment.pipeline.stages)
    while (done := course.minibatches) < total:
        more = min(step, total - done)
        believed = pace(problem, course, believed)
        then = choose(now, believed, total - done)
        same = then.order is now.order and then.cut == now.cut
        course = course.going_on(more) if same else course.then(then.leg(done, more))
        now = then
    return PolicyRun(policy, course, timed(problem, course))
