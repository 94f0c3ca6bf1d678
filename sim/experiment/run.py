"""One experiment from configuration to trace: order, then times, then weights."""

from __future__ import annotations

from threadpoolctl import threadpool_limits

from sim.errors import ConfigurationError, DeadlockError
from sim.experiment.demands.estimate import affordable, learning_parts, refuse_beyond
from sim.experiment.learning.learners import learners
from sim.experiment.options import Experiment
from sim.experiment.recording import record
from sim.experiment.setup import Timed, VirtualSetup, rows_of
from sim.numerics.tasks import stream
from sim.numerics.training import Watch, train
from sim.order.check import execution_order
from sim.order.program import Program
from sim.order.replicated import own_program
from sim.times.contention import contended, contends
from sim.times.costs import CostModel
from sim.times.engines import engine_of, kernels_of
from sim.times.limits import refuse_long
from sim.times.profile import Profile
from sim.times.shared.machine import SharedMachine
from sim.times.timeline import Timeline
from sim.trace import Trace
from sim.workers.synchronisation import waiting


def run(experiment: Experiment, program: Program | None = None, *, training: bool = True,
        watch: Watch | None = None, profile: Profile | None = None, engine: str = "auto",
        in_all: int | None = None) -> Trace:
    """Simulate one experiment, or a given program under its costs, mitigation and task.

    Without `training` times and versions alone; the task still gives the sizes.  A `profile`
    given here stands in for the file `costs.profile` names.  `engine` is one of
    `sim.times.engines.ENGINES`, and `in_all` how many instructions this run and those beside it
    in this process have; neither changes a number.

    Raises ConfigurationError, InvalidProgramError or DeadlockError.
    """
    rows = len(program) if program else rows_of(experiment)
    affordable(experiment, rows, learning=training, engine=engine)
    kernels = kernels_of(engine, rows, in_all)
    setup = VirtualSetup.of(experiment, program, profile, kernels=kernels)
    return run_setup(setup, training=training, watch=watch, engine=engine)


def run_setup(setup: VirtualSetup, *, training: bool = True, watch: Watch | None = None,
              engine: str = "auto") -> Trace:
    """The trace of an experiment that has been set up; what is given, and raised, is `run`'s."""
    timed = settle(setup, engine=engine)
    if setup.task is None or not training:
        return record(timed)
    refuse_beyond(learning_parts(setup.experiment, timed.plan, setup.task))
    whole = timed.timeline.program
    stages, crews = learners(setup, timed.plan, setup.task)
    with threadpool_limits(1):  # sums in one order whatever the machine's cores
        result = train(execution_order(whole), stages, setup.task, whole,
                       evaluate_every=setup.experiment.training.evaluate_every, watch=watch)
    return record(timed, [[stage.measures for stage in crew] for crew in crews], result)


def settle(setup: VirtualSetup, *, timeline: Timeline | None = None, engine: str = "auto"
           ) -> Timed:
    """Add times to a setup (unless given), and the versions of the order they leave.

    Raises ConfigurationError, InvalidProgramError or DeadlockError.
    """
    try:
        timeline = timeline or add_times(setup, engine)
    except DeadlockError:
        if setup.shape.workers > 1 or setup.program.several:
            setup.program.validate()  # a rule can ask for what the order gives later: say so then
        raise
    own = own_program(timeline.program, setup.kernels)
    if setup.shape.workers == 1 and setup.combine.acts_alone:
        waiting(own, setup.combine).validate()  # as several workers, which wait for themselves too
    return Timed(setup, timeline, setup.checked_versions(own))


def add_times(setup: VirtualSetup, engine: str = "auto") -> Timeline:
    """The times of a setup's program, by the engine named; training is not part of it.

    Profiled stages that share hardware, of which one factor each is known, are simulated twice,
    the second time slowed by each other.  Raises ConfigurationError or DeadlockError.
    """
    seed, dispatch = setup.experiment.training.seed, setup.experiment.pipeline.dispatch
    simulate = engine_of(engine, dispatch, setup.kernels, shared_machine(setup))
    alone = simulate(setup.program, setup.costs, setup.cluster, stream(seed, "jitter"))
    costs = beside_neighbours(setup, alone)
    found = alone if costs is setup.costs else simulate(setup.program, costs, setup.cluster,
                                                        stream(seed, "jitter"))
    refuse_long(float(found.end_s.max(initial=0.0)))
    return found


def shared_machine(setup: VirtualSetup) -> SharedMachine | None:
    """What the setup's profile says that devices share, event by event; None where nothing.

    Raises ConfigurationError where there are several workers besides.
    """
    machine = None if setup.profile is None else SharedMachine.of(setup.profile)
    if machine is not None:
        _refuse_several(setup)
    return machine


def beside_neighbours(setup: VirtualSetup, alone: Timeline) -> CostModel:
    """The setup's costs, slowed where profiled stages share hardware, as seen in a run `alone`.

    Raises ConfigurationError where there are several workers besides.
    """
    if setup.profile is None or not contends(setup.profile):
        return setup.costs
    _refuse_several(setup)
    return contended(setup.costs, setup.profile, alone)


def _refuse_several(setup: VirtualSetup) -> None:
    """Refuse several workers: how those slow each other is not known."""
    if setup.shape.workers > 1:
        raise ConfigurationError(["costs.profile: its stages share hardware, which is known for "
                                  f"one worker, got {setup.shape.workers} workers"])
