"""The loss of one trace's training, mini-batch by mini-batch."""

from __future__ import annotations

from matplotlib.axes import Axes

from figures.drawing.colours import COLOURS
from figures.traces.canvas import axes_or_new
from sim.errors import ConfigurationError
from sim.trace import Trace


def learning(trace: Trace, ax: Axes | None = None) -> Axes:
    """Draw the loss over the training set by mini-batch, at every evaluation.

    Raises ConfigurationError where the trace has no evaluations.
    """
    at = trace.curves.get("evaluated_minibatch")
    if at is None or not len(at):
        raise ConfigurationError(["training.evaluate_every: the trace has no evaluations to draw; "
                                  "set it, e.g. to 10"])
    ax = axes_or_new(ax)
    ax.plot(at, trace.curves["training_loss"], color=COLOURS["black"],
            label=trace.header.mitigation)
    ax.set_xlabel("mini-batches")
    ax.set_ylabel("loss over the training set")
    ax.legend(frameon=False)
    return ax
