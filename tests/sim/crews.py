"""Small runs of several workers: the trace, and every weight they made."""

import numpy as np

from sim.experiment.configuration import resolve
from sim.experiment.run import run

TRAINING = {"task": "digits-mlp", "width": 8, "layers": 3, "batch_size": 8}


def document(workers=1, combine="all-reduce", training=(), slowdown=1.0, **pipeline):
    return {"pipeline": {"schedule": "sequential", "stages": 1, "minibatches": 12} | pipeline,
            "workers": {"count": workers, "combine": combine, "slowdown": slowdown},
            "training": TRAINING | dict(training)}


def learnt(**keys):
    """The trace, and the weights of every stage after each update of the worker that made it."""
    seen = []
    trace = run(resolve(document(**keys)),
                watch=lambda stage, version, weights: seen.append((stage, version, weights.copy())))
    return trace, seen


def final(seen, stages=1):
    last = [None] * stages
    for stage, _, weights in seen:
        last[stage] = weights
    return np.concatenate(last)


def close(one, other):
    return np.linalg.norm(one - other) <= 1e-12 * np.linalg.norm(other)
