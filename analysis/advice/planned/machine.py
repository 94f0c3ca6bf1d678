"""What passes of an order take on a machine that layers are laid out on, and its endless run."""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np

from analysis.advice.planned.arrangement import Arrangement
from analysis.advice.planned.orders import Order
from analysis.theory.howard import ApartError
from analysis.theory.steady import SteadyState, steady_state
from sim.arrays import Floats
from sim.errors import ConfigurationError, UnsettledError
from sim.experiment.machine import cost_model, make_cluster, stage_sizes
from sim.numerics.stage import Backward
from sim.op import Op
from sim.order.program import Program
from sim.times.cluster import Cluster
from sim.times.costs import TICK, CostModel, quantize
from sim.times.limits import refuse_uncountable
from sim.workers import ring_all_reduce_s
from sim.workers.all_reduce import AllReduce
from sim.workers.synchronisation import waiting


@dataclass(frozen=True, eq=False)
class Machine:
    """An order on an arrangement: what its passes take and how its messages go.

    Of several workers, which are alike, it is one: `program` is its own with the waits by which an
    update comes after the workers' exchange.
    """

    order: Order
    program: Program
    costs: CostModel
    cluster: Cluster

    @classmethod
    def of(cls, order: Order, arrangement: Arrangement, backward: Backward) -> Machine:
        """The machine of an order, where backwards are done as `backward` says.

        Raises ConfigurationError where times are longer than ticks count.
        """
        experiment, profile = order.backwards(backward), arrangement.stages
        program, rule = order.program, AllReduce()
        sizes = stage_sizes(experiment, profile, None)
        homes = program.copies.homes if program.several else None
        cluster = make_cluster(experiment, profile, sizes, rule, homes)
        if arrangement.workers > 1:
            program = waiting(program, rule)
            exchange_s = ring_all_reduce_s(sizes.weight_bytes, cluster.link.slowest(),
                                           arrangement.workers)
            cluster = replace(cluster, sync_s=exchange_s)
        costs = cost_model(experiment, profile)
        refuse_uncountable(program, costs, cluster)
        return cls(order, program, costs, cluster)

    def endless(self) -> SteadyState | str:
        """The endless run, or why there is none."""
        pattern = replace(self.order.pattern, program=self.program)
        try:
            found = steady_state(self.program, self.costs, self.cluster, pattern)
        except ApartError:
            return "parts of the order never wait for one another"
        except (UnsettledError, ConfigurationError) as error:
            return str(error)
        if found is None:
            return "its order does not repeat"
        return found if found.period else "nothing in the profile takes any time"

    def least_period_s(self) -> float:
        """Seconds that a mini-batch takes at least in the endless run: a bound, found at once.

        No device does its passes faster than one after another, no link its messages.  Where each
        mini-batch begins, on the first stage, after the update of the one before, its passes there
        and back come to that as well: of stage k, which is alone on its device, those of all
        micro-batches between the first forward's way to it and the last gradient's way back.
        """
        once = self._once
        devices = np.einsum("dos,os->d", self.order.work, once)
        if self.program.wide:  # a pass of several micro-batches is rounded once
            devices -= TICK * self.order.work.sum(axis=(1, 2))
        busy = float(devices.max())
        if not self.order.fresh:
            return busy
        does = self.order.work.sum(axis=0) > 0
        back = np.where(does[Op.B], once[Op.B], once[Op.I])
        both = once[Op.F] + back
        end = float(once[Op.U, 0]) + self._exchange_s
        shape = self.program.shape
        if self.program.several or shape.worker_devices < shape.stages:
            return max(busy, float(both.sum()) + end)
        way = np.concatenate(([0.0], np.cumsum(both[:-1] + self._messages_s)))
        return max(busy, float((way + shape.microbatches * both).max()) + end)

    @property
    def _once(self) -> Floats:
        """Seconds of an operation on one micro-batch, (operations, stages)."""
        ops, stages = len(Op), self.program.shape.stages
        op, stage = np.repeat(np.arange(ops), stages), np.tile(np.arange(stages), ops)
        return self.costs.nominal(op, stage, np.ones_like(op)).reshape(ops, stages)

    @property
    def _exchange_s(self) -> float:
        """Seconds before the first stage's update in which its workers exchange."""
        if self.cluster.sync_s is None or self.program.several:
            return 0.0
        return float(quantize(self.cluster.sync_s)[0])

    @property
    def _messages_s(self) -> Floats:
        """Seconds a message takes over each boundary and back, (stages − 1,)."""
        stages = self.program.shape.stages
        ones, onward = np.ones(stages - 1, dtype=np.int64), np.arange(stages - 1)
        there = self.cluster.arrivals_of(np.full_like(ones, Op.F), onward, ones)
        back = self.cluster.arrivals_of(np.full_like(ones, Op.B), onward + 1, ones)
        return there + back
