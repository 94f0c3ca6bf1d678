"""How heavy micro-batches are: factors on their passes, where they are not all alike.

Sequences of unlike length, say, or images of unlike size.
"""

from __future__ import annotations

import numpy as np

from sim.arrays import Floats, Ints
from sim.op import Op


def loads(scale: Floats, microbatches: int, op: Ints, index: Ints, count: Ints) -> Floats:
    """What the micro-batches of each instruction come to, shape (rows,).

    That is the sum of their factors for a pass, and their number for an update, which does not
    depend on them.  `scale` are the factors of the first micro-batches of a mini-batch, which has
    so many `microbatches`; they repeat, and begin again with every mini-batch.  The columns `op`,
    `index` (first micro-batch) and `count` have shape (rows,).
    """
    factor = np.resize(scale, microbatches)
    place = index % microbatches
    found: Floats = np.where(op == Op.U, count, factor[place]).astype(np.float64)
    several = np.flatnonzero((op != Op.U) & (count > 1))
    pairs, which = np.unique(np.stack((place[several], count[several])), axis=1,
                             return_inverse=True)
    sums = [factor[(first + np.arange(many)) % microbatches].sum() for first, many in pairs.T]
    found[several] = np.array(sums)[which.ravel()] if len(several) else 0.0
    return found
