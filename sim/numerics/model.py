"""The mathematics of one stage, NumPy or torch, and its two passes under changing weights."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any, Generic, Protocol, TypeVar


class StageModel(Protocol):
    """What a task (or the torch backend) gives for a stage: functions of a flat weight vector.

    `weights` is (parameters,), or (replicas, parameters) with the replicas as first axis of every
    other array too.  A model that subclasses this has `forward_again` and the halves of a backward
    for nothing.
    """

    def forward(self, weights: Any, inputs: Any, target: Any = None) -> tuple[Any, Any]:
        """Output (with a target: the mean loss) and what the backward needs of this forward."""

    def backward(self, weights: Any, saved: Any, gradient: Any) -> tuple[Any, Any]:
        """Weight gradient, and input gradient formed with `weights` (None: nobody wants it)."""

    def backward_input(self, weights: Any, saved: Any, gradient: Any) -> tuple[Any, Any]:
        """The input half of a backward: what the weight half needs, and the input gradient.

        A model that cannot part the two does all of it here.
        """
        return self.backward(weights, saved, gradient)

    def backward_weight(self, left: Any) -> Any:
        """The weight half of a backward, from what the input half has left for it."""
        return left

    def forward_again(self, weights: Any, inputs: Any, target: Any = None) -> Any:
        """Run a forward again for its backward (recompute), and return what that needs.

        No state may change by it, such as running statistics.
        """
        return self.forward(weights, inputs, target)[1]


Model = TypeVar("Model", bound=StageModel)


class Passes(Generic[Model]):
    """Forwards of micro-batches through a model, and their backwards under other weights.

    Without `recompute` a backward has the forward's activations and its own weights in the
    input-gradient products; with it the forward runs again from the saved input under the
    backward's weights.  Source: REFERENCE section 3.
    """

    def __init__(self, model: Model, recompute: bool) -> None:
        self.model, self.recompute = model, recompute
        self._saved: dict[int, Any] = {}
        self._halves: dict[int, Any] = {}

    @property
    def under_way(self) -> Iterable[int]:
        """Micro-batches whose forward is done and whose backward is not."""
        return self._saved.keys()

    def forward(self, index: int, weights: Any, inputs: Any, target: Any) -> Any:
        """The forward of micro-batch `index` (from 0, over the whole run): its output, or with a
        target its mean loss."""
        output, saved = self.model.forward(weights, inputs, target)
        self._saved[index] = (inputs, target) if self.recompute else saved
        return output

    def backward(self, index: int, weights: Any, gradient: Any) -> tuple[Any, Any]:
        """The backward of micro-batch `index` (from 0): the gradients of the weights and of the
        input; `gradient` is that of the output."""
        return self.model.backward(weights, self._ready(index, weights), gradient)

    def backward_input(self, index: int, weights: Any, gradient: Any) -> Any:
        """The input half of the backward of micro-batch `index`: the gradient of the input."""
        ready = self._ready(index, weights)
        self._halves[index], passed_on = self.model.backward_input(weights, ready, gradient)
        return passed_on

    def backward_weight(self, index: int) -> Any:
        """The weight half of the backward of micro-batch `index`: the gradient of the weights."""
        return self.model.backward_weight(self._halves.pop(index))

    def _ready(self, index: int, weights: Any) -> Any:
        """What the backward of a micro-batch needs of its forward, run again where it must be."""
        saved = self._saved.pop(index)
        return self.model.forward_again(weights, *saved) if self.recompute else saved
