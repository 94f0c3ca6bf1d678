"""Trials of one mini-batch: what an experiment's bubble would be with something else set."""

from __future__ import annotations

from typing import Any

from sim.errors import MistakeError
from sim.experiment.options import Experiment
from sim.experiment.run import run
from sim.op import Op

MOST = 20_000  # instructions of a trial: some hundredths of a second
BUSY = (Op.F, Op.B, Op.I, Op.W, Op.U)


def bubble(experiment: Experiment, **pipeline: Any) -> float | None:
    """The bubble of one mini-batch with these keys of the table `pipeline` changed.

    None where that cannot be tried.
    """
    microbatches = pipeline.get("microbatches", experiment.pipeline.microbatches)
    if 2 * experiment.pipeline.stages * microbatches > MOST:
        return None
    try:
        trial = run(experiment.changed({
            "pipeline": {"mitigation": "none", "minibatches": experiment.workers.count,
                         **pipeline}}), training=False)
    except MistakeError:
        return None
    busy = trial.busy_s[[op in BUSY for op in trial.op.tolist()]].sum()
    return 1 - float(busy) / (trial.shape.devices * float(trial.end_s.max()))
