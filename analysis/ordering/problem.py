"""The problem of finding an order: what passes cost, what they wait for, what limits them."""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from analysis.ordering.making import Machine, machine_of
from sim.arrays import Floats, Ints
from sim.errors import ConfigurationError
from sim.experiment.options import Experiment
from sim.times.profile import Profile


@dataclass(frozen=True, eq=False)
class OrderProblem(Machine):
    """One mini-batch of `microbatches` micro-batches, on stages that live where `device` says.

    Seconds are by stage, (stages,): of a forward, of a whole backward and of its input and weight
    halves, of an update.  A message of a micro-batch keeps its link for `occupied_s` and is there
    `latency_s` after it has let go: both (2, stages − 1), by way (0: from stage k on to k + 1, 1:
    its gradient back) and boundary; links are between pairs of devices, one each way, and between
    stages of one device nothing is sent.

    In bytes, (stages,), a micro-batch holds `held_bytes` from the start of its forward to the end
    of its backward or input half, `rerun_bytes` besides while that runs, and `halved_bytes` from
    the end of the input half to the end of the weight half.  `base_bytes`, (devices,), are there
    all the time, one set of the `weight_bytes` of each stage, (stages,), among them.  No device has
    room for more than `limit_bytes`.

    With `max_staleness` 0 each mini-batch begins after the updates of the one before (a flush), and
    the makespan of one counts; with more, forwards may read weights so many updates old, and the
    period of an endless run counts.

    `experiment`, and where it is given `profile`, is what it was made from: they say everything
    else, and an order is at last judged by running it.  All seconds are whole ticks
    (`sim.times.costs.quantize`), so sums are exact.
    """

    microbatches: int
    limit_bytes: float = math.inf
    max_staleness: int = 0
    state_copies: float = 0.0
    profile: Profile | None = None

    @classmethod
    def of(cls, experiment: Experiment, *, limit_bytes: float = math.inf, max_staleness: int = 0,
           state_copies: float = 0.0, device: Sequence[int] | Ints | None = None,
           profile: Profile | None = None) -> OrderProblem:
        """The problem of finding an order for an experiment's stages, costs and machine.

        Its schedule says where stages live unless `device`, (stages,), does; `profile` stands in
        for the file `costs.profile` names.  A device holds the weights of its stages all the time,
        `state_copies` arrays as large besides (gradient, velocity), and the workspace of its
        neediest stage where a profile knows it; it has room for `limit_bytes` bytes in all.

        Raises ConfigurationError where an order's length is not a matter of fixed costs, a stage
        has several homes, or a device has no room for one micro-batch.
        """
        made = machine_of(experiment, device, profile, state_copies)
        problem = OrderProblem(microbatches=experiment.pipeline.microbatches,
                               limit_bytes=limit_bytes, max_staleness=max_staleness,
                               state_copies=state_copies, profile=profile, **vars(made))
        _refuse_full(problem)
        return problem

    def placed(self, device: Sequence[int] | Ints) -> OrderProblem:
        """This problem with its stages on other devices, (stages,), as slow as those are.

        Raises ConfigurationError as `of` does.
        """
        return OrderProblem.of(self.experiment, limit_bytes=self.limit_bytes,
                               max_staleness=self.max_staleness, device=device,
                               state_copies=self.state_copies, profile=self.profile)

    @property
    def stages(self) -> int:
        """How many stages there are."""
        return len(self.device)

    @property
    def devices(self) -> int:
        """How many devices there are."""
        return len(self.base_bytes)

    @property
    def room_bytes(self) -> Floats:
        """Bytes that each device has for micro-batches in flight, (devices,)."""
        return self.limit_bytes - self.base_bytes

    def stages_on(self, device: int) -> list[int]:
        """The stages that live on a device, ascending."""
        return np.flatnonzero(self.device == device).tolist()


def least_bytes(problem: OrderProblem) -> Floats:
    """Bytes without which no order fits each device, (devices,): one micro-batch at a time.

    Its forward is held by all stages of a device before the last of them goes back.
    """
    least = problem.base_bytes.copy()
    for device in range(problem.devices):
        stages = problem.stages_on(device)
        if stages:
            least[device] += (np.cumsum(problem.held_bytes[stages])
                              + problem.rerun_bytes[stages]).max()
    return least


def _refuse_full(problem: OrderProblem) -> None:
    """Raises ConfigurationError where a device has no room for one micro-batch."""
    if math.isnan(problem.limit_bytes) or problem.limit_bytes <= 0:
        raise ConfigurationError([f"--memory-limit: bytes, more than 0, got "
                                  f"{problem.limit_bytes:g}"])
    if problem.max_staleness < 0:
        raise ConfigurationError([f"--max-staleness: updates, at least 0, got "
                                  f"{problem.max_staleness}"])
    least = least_bytes(problem)
    lines = [f"--memory-limit: device {device} needs {least[device]:g} bytes for one micro-batch, "
             f"{problem.base_bytes[device]:g} of them all the time, got {problem.limit_bytes:g}"
             for device in np.flatnonzero(least > problem.limit_bytes).tolist()]
    if lines:
        raise ConfigurationError(lines)
