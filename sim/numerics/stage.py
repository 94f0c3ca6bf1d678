"""One stage: the staleness semantics around a model of its mathematics.

Both backends use this class.  It asks the plan which version a pass reads and the mitigation what
the pass computes with, and puts together what holds the versions (`store`), adds up gradients
(`gradients`), runs the model (`model`) and measures weights (`distances`).
"""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Generic, Literal, Protocol

from sim.mitigations import Late, Look, Mitigation
from sim.numerics.distances import Measures
from sim.numerics.gradients import GradientSums
from sim.numerics.model import Model, Passes
from sim.numerics.optimizers import Optimizer
from sim.numerics.store import VersionStore
from sim.op import Op
from sim.weights.delays import update_delays
from sim.weights.versions import VersionPlan

Backward = Literal["graph", "recompute"]


class Observer(Protocol):
    """Who is shown a stage's weights as they are used: the very arrays, (parameters,) each."""

    def on_read(self, op: Op, index: int, read: Any, used: Any) -> None:
        """A pass of micro-batch `index` computes with `used`, made from `read` (or `read` itself).

        `read` are weights of the store, or the prediction that a backward reuses.
        """

    def on_update(self, minibatch: int, old: Any, new: Any) -> None:
        """The update of a mini-batch (from 0) has made `new` from `old`."""


class Sums(Protocol):
    """Where the gradients (parameters,) of micro-batches are added up."""

    def add(self, index: int, gradient: Any) -> None:
        """Add the gradient of micro-batch `index`."""

    def take(self, number: int) -> Any:
        """The sum that an update applies, handed over."""


@dataclass(frozen=True)
class Copy:
    """Which copy of a stage with several homes a `Stage` is.

    `number` is its number among the copies of the plan's program, `does` says which micro-batches
    it does, (micro-batches,), and `gradients` is where its gradients are added up; what its
    updates apply of them is given to them.  With `apart` that is of its own micro-batches alone.
    """

    number: int
    does: Sequence[bool]
    gradients: Sums
    apart: bool = False


class Stage(Generic[Model]):
    """One stage at work: forwards, backwards and updates in program order, on planned versions.

    Versions come from the plan and are checked against the stage's own count.  `backward` is
    `graph` or `recompute`, see `sim.numerics.model.Passes`; `learning_rate` goes by update index
    (from 0).  Weights and gradients are (parameters,), of replicas (replicas, parameters);
    micro-batches and mini-batches count from 0.  A stage that has several homes is several of
    these, each a copy of its own; the attribute `copy` is its number.
    """

    def __init__(
        self,
        number: int,
        model: Model,
        weights: Any,
        optimizer: Optimizer,
        plan: VersionPlan,
        learning_rate: Callable[[int], Any],
        *,
        backward: Backward = "graph",
        distances: bool = True,
        unit_horizons: tuple[int, int] | None = None,
        observer: Observer | None = None,
        copy: Copy | None = None,
    ) -> None:
        shape, mitigation = plan.program.shape, plan.mitigation
        self.number, self.model, self.optimizer = number, model, optimizer
        self.mitigation: Mitigation = mitigation
        self.learning_rate, self.observer = learning_rate, observer
        self.passes = Passes(model, backward == "recompute")
        self.copy = number if copy is None else copy.number
        self.store = VersionStore(weights, plan.readers_of(self.copy).tolist())
        self.gradients: Sums = GradientSums(shape.microbatches) if copy is None else copy.gradients
        self.measures = Measures.none_yet(shape.total, weights.shape[-1], distances)
        self._per_minibatch, self._total = shape.microbatches, shape.total
        self._does = None if copy is None else copy.does
        self._late: list[Late] = []  # by version, of a mitigation that adapts its rate
        if mitigation.adapts_rate:
            alone = self._does if copy is not None and copy.apart else None
            self._late = [Late(None, delay, shape.stages - number)
                          for delay in update_delays(plan, number, alone).tolist()]
        self._reads = {Op.F: plan.forward[number].tolist(), Op.B: plan.backward[number].tolist()}
        self._horizons = {Op.F: plan.forward_horizon[number].tolist(),
                          Op.B: plan.backward_horizon[number].tolist()}
        self._units = dict(zip((Op.F, Op.B), unit_horizons or (None, None), strict=True))
        self._applied = plan.applied[number].tolist()
        self._reuses_prediction = mitigation.stash == "prediction"
        self._plain = {Op.F: not mitigation.predicts,
                       Op.B: not (mitigation.predicts or mitigation.interpolates)}
        # else the forward's weights would stay alive until its backward for nobody's sake
        self._keeps_used = distances or self._reuses_prediction
        self._used: dict[int, Any] = {}

    @property
    def weights(self) -> Any:
        """The newest weights, those the last update made."""
        return self.store.newest

    @property
    def learnt(self) -> Any:
        """The weights to judge this stage by."""
        return self.store.newest

    @property
    def version(self) -> int:
        """How many updates the stage has done."""
        return self.store.version

    def points(self, minibatch: int, every: int) -> Iterator[tuple[int, Any]]:
        """The point of a curve that an update completes: mini-batches done, and the weights
        (parameters,) they made.

        How many are done is what counts, not which: a program may update in another order.
        """
        if self.version % every == 0:
            yield self.version, self.store.newest

    def compute_with(self, model: Model) -> None:
        """Go on with another model of the same mathematics; no pass may be under way."""
        self.model = self.passes.model = model

    def forward(self, index: int, inputs: Any, target: Any = None) -> Any:
        """The forward of one micro-batch; returns what the next stage gets, or the mean loss."""
        weights = self.weights_for(Op.F, index)
        output = self.passes.forward(index, weights, inputs, target)
        self.keep(index, weights)
        return output

    def backward(self, index: int, gradient: Any) -> Any:
        """The backward of one micro-batch; returns the gradient of its input."""
        weights = self.weights_for(Op.B, index)
        own, passed_on = self.passes.backward(index, weights, gradient)
        self.collect(index, weights, own)
        return passed_on

    def backward_input(self, index: int, gradient: Any) -> Any:
        """The input half of a backward, which is all that reads weights; `backward` otherwise."""
        weights = self.weights_for(Op.B, index)
        passed_on = self.passes.backward_input(index, weights, gradient)
        self._passed(index, weights)
        return passed_on

    def backward_weight(self, index: int) -> None:
        """The weight half of the backward of one micro-batch: adds up its gradient."""
        self.gradients.add(index, self.passes.backward_weight(index))

    def update(self, minibatch: int, gradient: Any = None) -> None:
        """Apply the gradient of a mini-batch, or the one given; the version grows by one.

        Raises RuntimeError where the update comes at another version than the plan's.
        """
        if gradient is None:
            gradient = self.take_gradient(minibatch)
        micro_batches, store = self._of(minibatch), self.store
        first = micro_batches[0]
        if self._applied[first] != store.version:
            raise RuntimeError(f"stage {self.number} applies mini-batch {minibatch + 1} at version "
                               f"{store.version}, the program says {self._applied[first]}")
        fresh, rate = store.newest, self._rate(store.version)
        if self.mitigation.treats_gradient:
            look = self._look(Op.B, first, fresh, None)
            gradient = self.mitigation.gradient(gradient, look)
        new = self.optimizer.step(fresh, gradient, rate)
        if self.observer is not None:
            self.observer.on_update(minibatch, fresh, new)
        self.measures.updated(micro_batches, fresh, self.optimizer.velocity, rate)
        store.add(new)

    def _rate(self, version: int) -> Any:
        """The learning rate with which an update steps a version."""
        rate = self.learning_rate(version)
        if not self._late:
            return rate
        return self.mitigation.step_rate(self._late[version]._replace(learning_rate=rate))

    def _of(self, minibatch: int) -> Sequence[int]:
        """The micro-batches of a mini-batch (from 0) that are done here, ascending."""
        first = minibatch * self._per_minibatch
        whole = range(first, min(first + self._per_minibatch, self._total))
        if self._does is None:
            return whole
        return list(itertools.compress(whole, self._does[whole.start : whole.stop]))

    def take_gradient(self, minibatch: int) -> Any:
        """The gradient of a mini-batch handed over, for `update` to be given what becomes of it."""
        return self.gradients.take(minibatch)

    def refresh(self, weights: Any) -> None:
        """Take weights that other workers have learnt too: the version stays, no update is done.

        A backward that reads its forward's version still finds the weights that forward used.
        """
        first, second, newest = self._reads[Op.F], self._reads[Op.B], self.store.version
        finds = self.mitigation.finds_forward
        self.store.replace(weights, [index for index in self.passes.under_way
                                     if finds and first[index] == second[index] == newest])

    def weights_for(self, op: Op, index: int) -> Any:
        """The weights a pass of one micro-batch computes with: read, and mitigated."""
        read = self._read(op, index)
        used = read if self._plain[op] else self._mitigated(op, index, read)
        if self.observer is not None:
            reused = self._reuses_prediction and op is Op.B
            self.observer.on_read(op, index, self._used[index] if reused else read, used)
        return used

    def keep(self, index: int, weights: Any) -> None:
        """Note that a forward has computed with `weights`, which its backward may ask for."""
        if self._keeps_used:
            self._used[index] = weights
        self.store.release(self._reads[Op.F][index])

    def collect(self, index: int, weights: Any, own: Any) -> None:
        """Note that a backward has computed with `weights`, and add `own`, its weight gradient."""
        self.gradients.add(index, own)
        self._passed(index, weights)

    def _passed(self, index: int, weights: Any) -> None:
        """Note that a backward has read its version, and computed with `weights`."""
        if not self._reuses_prediction:
            self.store.release(self._reads[Op.B][index])
        if self._keeps_used:
            self.measures.passed(index, self._used.pop(index), weights)

    def _read(self, op: Op, index: int) -> Any:
        if op is Op.F:
            return self.store.read(self._reads[op][index])
        if self._reuses_prediction:
            return self.store.newest
        return self.store.read_back(index, self._reads[op][index])

    def _mitigated(self, op: Op, index: int, read: Any) -> Any:
        if op is Op.F:
            return self.mitigation.forward_weights(self._look(op, index, read, None))
        used = self._used[index] if self._keeps_used else None
        return self.mitigation.backward_weights(self._look(op, index, read, used))

    def _look(self, op: Op, index: int, weights: Any, used: Any) -> Look:
        version = self.store.version
        return Look(weights, self.store.newest, used, self.optimizer.velocity,
                    self.learning_rate(version), self.optimizer.momentum,
                    self._horizons[op][index], self._units[op], version - self._reads[op][index])


class LastUpdated:
    """Copies of one stage, told apart by who updated last: `_latest` is that copy.

    What training reads of a stage right after an update is read of that copy.
    """

    _latest: Stage[Any]

    @property
    def weights(self) -> Any:
        """The weights (parameters,) of the copy that updated last."""
        return self._latest.weights

    @property
    def version(self) -> int:
        """How many updates the copy that updated last has done."""
        return self._latest.version
